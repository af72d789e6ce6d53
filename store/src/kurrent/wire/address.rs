//! The address of a cluster, as the client takes it.

use crate::cluster::Cluster;

/// The address for the client, with what it does not say itself: the client waits for the pause between two attempts also
/// before its first one.
pub(crate) fn of(cluster: &Cluster) -> String {
    let mut address = cluster.address().to_owned();
    for (name, value) in [("discoveryInterval", "100"), ("maxDiscoverAttempts", "10")] {
        if !cluster.parameters().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            address = with(&address, name, value);
        }
    }
    address
}

/// The address of whichever node leads.
pub(crate) fn of_leader(cluster: &Cluster) -> String {
    with(&of(cluster), "nodePreference", "leader")
}

/// An address with one more parameter, or another value of it.
fn with(address: &str, name: &str, value: &str) -> String {
    let (base, query) = address.split_once('?').unwrap_or((address, ""));
    let is_it = |pair: &str| pair.split('=').next().is_some_and(|other| other.eq_ignore_ascii_case(name));
    let others =
        query.split('&').filter(|pair| !pair.is_empty() && !is_it(pair)).map(|pair| format!("{pair}&"));
    format!("{base}?{}{name}={value}", others.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_added_or_takes_the_place_of_another() {
        let leading = |address: &str| with(address, "nodePreference", "leader");
        assert_eq!(leading("esdb://one"), "esdb://one?nodePreference=leader");
        assert_eq!(
            leading("esdb://one?NodePreference=follower&tls=false"),
            "esdb://one?tls=false&nodePreference=leader"
        );
        let cluster: Cluster = "esdb://one?discoveryInterval=7".parse().unwrap();
        assert_eq!(of(&cluster), "esdb://one?discoveryInterval=7&maxDiscoverAttempts=10");
    }
}
