//! The door for commands of the kinds' own types leads into the same loop as the one for JSON.

mod log;

use std::sync::Arc;

use domain::{
    Actor, ContactId, Role,
    contact::{ConsentChannel, ConsentPurpose, ContactForm},
    disclosure::{Manner, Purpose},
};
use futures::executor::block_on;
use log::Log;
use uuid::Uuid;

use crate::{
    Body, Command, CommandError, Commands, Malformed, Request, Sender,
    contact::{self, Contact},
    disclosure::{self, Disclosure},
    kit::decider::Decider,
    program::{self, Program},
};

const ONE: Uuid = Uuid::from_u128(1);
const TWO: Uuid = Uuid::from_u128(2);

fn sender(role: Role) -> Sender {
    Sender { by: Actor::Member("ann".to_owned()), role, system: false }
}

fn rename(name: &str) -> program::Command {
    program::Command::Rename { name: name.try_into().unwrap() }
}

fn start() -> program::Command {
    let day = "2024-09-01".parse().unwrap();
    program::Command::Start {
        name: "Mentoring".try_into().unwrap(),
        starts_on: Some(day),
        ends_on: None,
        fund: None,
    }
}

/// The same command with much beside it, as a value and as text.
fn both(key: &str) -> (Request<program::Command>, Command) {
    let request = Request {
        key: Some(key.to_owned()),
        if_match: Some(0),
        occurred_at: Some("2024-08-01T09:00:00Z".parse().unwrap()),
        reason: Some("the board said so".try_into().unwrap()),
        correlation: Some(TWO),
        ..Request::new(ONE, start(), sender(Role::Staff))
    };
    let text = r#"{"start":{"name":"Mentoring","starts_on":"2024-09-01","ends_on":null,"fund":null},"occurred_at":"2024-08-01T09:00:00Z","reason":"the board said so","correlation":"00000000-0000-0000-0000-000000000002"}"#;
    (request, as_json::<Program>(text, key, Some(0)))
}

fn as_json<D: Decider>(text: &str, key: &str, if_match: Option<u64>) -> Command {
    use domain::KindEvent as _;
    let (kind, body, key) = (D::Event::KIND, Body::parse(text.as_bytes()).unwrap(), Some(key.to_owned()));
    Command { kind, id: ONE, body, sender: sender(Role::Staff), key, if_match }
}

fn commands() -> (Arc<Log>, Commands) {
    let log = Arc::new(Log::default());
    (Arc::clone(&log), Commands::new(log))
}

#[test]
fn a_value_and_its_text_come_to_the_same() {
    let ((in_values, values), (in_texts, texts)) = (commands(), commands());
    let (request, command) = both("k");
    let answer = block_on(values.carry_out::<Program>(request)).unwrap();
    assert_eq!(block_on(texts.execute(command)).unwrap(), answer);
    assert_eq!(answer.events.len(), 1);
    assert_eq!(in_values.said(), in_texts.said());
}

#[test]
fn one_key_answers_a_value_and_its_text() {
    let (log, commands) = commands();
    let (request, command) = both("k");
    let answer = block_on(commands.carry_out::<Program>(request.clone())).unwrap();
    assert_eq!(block_on(commands.carry_out::<Program>(request)).unwrap(), answer);
    assert_eq!(block_on(commands.execute(command)).unwrap(), answer);
    assert_eq!(log.said().len(), 1);
}

#[test]
fn a_key_is_not_used_for_another_value_nor_for_another_text() {
    let (log, commands) = commands();
    let (request, _) = both("k");
    block_on(commands.carry_out::<Program>(request.clone())).unwrap();
    let other = Request { command: rename("Tutoring"), ..request.clone() };
    let other = block_on(commands.carry_out::<Program>(other));
    assert!(matches!(other, Err(CommandError::KeyReused)), "{other:?}");
    let elsewhere = block_on(commands.carry_out::<Program>(Request { id: TWO, ..request }));
    assert!(matches!(elsewhere, Err(CommandError::KeyReused)), "{elsewhere:?}");
    let text = as_json::<Program>(r#"{"rename":{"name":"Tutoring"}}"#, "k", None);
    let text = block_on(commands.execute(text));
    assert!(matches!(text, Err(CommandError::KeyReused)), "{text:?}");
    assert_eq!(log.said().len(), 1);
}

#[test]
fn a_value_is_refused_as_its_text_is() {
    let (log, commands) = commands();
    let unknown =
        block_on(commands.carry_out::<Program>(Request::new(ONE, rename("Tutoring"), sender(Role::Staff))));
    assert!(
        matches!(&unknown, Err(CommandError::Rejected { rule, .. }) if rule == "program/unknown-program"),
        "{unknown:?}"
    );
    let forbidden =
        block_on(commands.carry_out::<Program>(Request::new(ONE, start(), sender(Role::Auditor))));
    assert!(matches!(forbidden, Err(CommandError::Forbidden { .. })), "{forbidden:?}");
    let request = Request { if_match: Some(7), ..Request::new(ONE, start(), sender(Role::Staff)) };
    let mismatch = block_on(commands.carry_out::<Program>(request));
    let (expected, actual) = (7, 0);
    assert!(
        matches!(mismatch, Err(CommandError::RevisionMismatch { expected: e, actual: a }) if (e, a) == (expected, actual)),
        "{mismatch:?}"
    );
    assert!(log.said().is_empty());
}

#[test]
fn what_no_role_may_send_is_sent_by_the_program_alone() {
    let (_, commands) = commands();
    let command = disclosure::Command::Record {
        role: Role::Auditor,
        purpose: Purpose::Audit,
        manner: Manner::Read,
        view: "contacts".try_into().unwrap(),
        query: None,
        size: 7,
        rows: 2,
        shown: vec![ContactId(TWO)],
    };
    let refused = Request::new(ONE, command, sender(Role::Admin));
    let system = Sender { system: true, ..sender(Role::Auditor) };
    let request = Request { sender: system, ..refused.clone() };
    let refused = block_on(commands.carry_out::<Disclosure>(refused));
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })), "{refused:?}");
    assert_eq!(block_on(commands.carry_out::<Disclosure>(request)).unwrap().revision, 1);
}

#[test]
fn what_a_value_requires_is_looked_up() {
    let (log, commands) = commands();
    let carry_out = |id: Uuid, command: contact::Command| {
        block_on(commands.carry_out::<Contact>(Request::new(id, command, sender(Role::Staff))))
    };
    let merge = || contact::Command::Merge { into: ContactId(TWO), evidence: Vec::new(), chain: Vec::new() };
    carry_out(ONE, contact::Command::Register { form: ContactForm::Person, name: None }).unwrap();
    let unknown = carry_out(ONE, merge());
    assert!(
        matches!(&unknown, Err(CommandError::Rejected { rule, .. }) if rule == "contact/unknown-other"),
        "{unknown:?}"
    );
    carry_out(TWO, contact::Command::Register { form: ContactForm::Person, name: None }).unwrap();
    carry_out(ONE, merge()).unwrap();
    assert!(log.said()[2].contains("looked_up: [LookedUp"), "{}", log.said()[2]);
}

#[test]
fn a_source_is_checked_however_the_command_came() {
    let (_, commands) = commands();
    let command = contact::Command::WithdrawConsent {
        purpose: ConsentPurpose::Newsletter,
        channel: ConsentChannel::Email,
    };
    let source = domain::Source { name: " sheet".to_owned(), file: None, line: None, zone: None };
    let request = Request { source: Some(source), ..Request::new(ONE, command, sender(Role::Staff)) };
    let refused = block_on(commands.carry_out::<Contact>(request));
    let field = Some("source.name".to_owned());
    assert!(
        matches!(&refused, Err(CommandError::Malformed(Malformed { field: at, .. })) if *at == field),
        "{refused:?}"
    );
}
