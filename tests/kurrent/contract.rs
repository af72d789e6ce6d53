//! The same contract as everywhere, on the double and on a real server.

use tempfile::TempDir;

use super::servers::Servers;
use crate::contract::{Store, contract};

async fn on(servers: Servers) -> (Store, (TempDir, Servers)) {
    let place = tempfile::tempdir().unwrap();
    let store: Store = servers.node(place.path(), None).await;
    (store, (place, servers))
}

mod on_the_double {
    use super::*;

    contract!(Some(on(Servers::double(1)).await));
}

mod on_servers_that_answer_where_the_first_event_stands {
    use super::*;

    contract!(Some(on(answering_first()).await));

    fn answering_first() -> Servers {
        let servers = Servers::double(3);
        servers.faults().answers_first_position(true);
        servers
    }
}

mod on_a_real_server {
    use super::*;

    contract!(where_there_is_one().await);

    async fn where_there_is_one() -> Option<(Store, (TempDir, Servers))> {
        Some(on(Servers::real()?).await)
    }
}
