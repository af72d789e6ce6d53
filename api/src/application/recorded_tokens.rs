//! What the log says of tokens: the file of tokens holds nothing that it does not say, and where the file is lost it is
//! written again from here.

use std::collections::BTreeMap;

use commands::member;
use domain::{
    Event, EventStore, Kind, KindSet, Position, ReadError, Recorded, StreamId, member::MemberEvent,
};
use uuid::Uuid;

use super::token::Token;

/// How many events are read at a time.
const EVENTS_PER_READ: usize = 4_096;

/// What a member of staff was called, and how it stands with their token.
#[derive(Default)]
struct Told {
    names: Vec<String>,
    token: Option<Token>,
}

impl Told {
    fn take(&mut self, id: Uuid, recorded: &Recorded) {
        match &recorded.event {
            Event::Member(MemberEvent::Joined { name, .. } | MemberEvent::Renamed { name }) => {
                self.names.push(name.clone());
            }
            Event::Member(MemberEvent::TokenGranted { role, sha256 }) => {
                // A token is known by the name that it was granted under, whatever its bearer is called since.
                let name =
                    self.names.iter().find(|name| member::id_of(name) == id).cloned().unwrap_or_default();
                let hash = sha256.clone().unwrap_or_default();
                self.token = Some(Token {
                    name,
                    role: *role,
                    granted_at: recorded.recorded_at,
                    revoked_at: None,
                    hash,
                });
            }
            Event::Member(MemberEvent::TokenRevoked {}) => {
                if let Some(token) = &mut self.token {
                    token.revoked_at.get_or_insert(recorded.recorded_at);
                }
            }
            _ => {}
        }
    }
}

/// Whether the log says that a token lives: it was granted with this very hash, and not revoked since. Before hashes were
/// recorded only who was granted which role was.
pub(super) async fn lives(store: &dyn EventStore, token: &Token) -> Result<bool, ReadError> {
    let id = member::id_of(&token.name);
    let (stream, mut told, mut after) = (StreamId::new(Kind::Member, id), Told::default(), 0);
    loop {
        let events = store.read_stream(stream, after, EVENTS_PER_READ).await?;
        for recorded in &events {
            told.take(id, recorded);
            after = recorded.revision;
        }
        if events.len() < EVENTS_PER_READ {
            break;
        }
    }
    let said = told.token.filter(|said| said.revoked_at.is_none());
    Ok(said.is_some_and(|said| said.role == token.role && (said.hash == token.hash || said.hash.is_empty())))
}

/// Every token that the log tells of with its hash, living and revoked, in the order of granting. Reads the whole log.
pub(super) async fn all(store: &dyn EventStore) -> Result<Vec<Token>, ReadError> {
    let (mut told, mut after) = (BTreeMap::<Uuid, Told>::new(), Position::START);
    while after < store.head() {
        let page = store.read_all(after, EVENTS_PER_READ, KindSet::of(&[Kind::Member])).await?;
        for recorded in page.events.iter().flatten() {
            told.entry(recorded.stream.id).or_default().take(recorded.stream.id, recorded);
        }
        if page.through == after {
            break;
        }
        after = page.through;
    }
    let known = |token: &Token| !token.hash.is_empty() && !token.name.is_empty();
    let mut all: Vec<Token> = told.into_values().filter_map(|told| told.token).filter(known).collect();
    all.sort_by_key(|token| token.granted_at);
    Ok(all)
}
