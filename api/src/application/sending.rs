//! In whose name commands are sent, and sending them.

use chrono::TimeDelta;
use commands::{Body, Command, CommandError, Malformed, Sender};
use domain::{Actor, Answer};

use super::{caller::Caller, clock::now, rapport::Rapport};

/// An import writes under its own name, and always for whoever sends it; everybody else writes under theirs.
pub fn sender(caller: &Caller, mut body: Body) -> (Sender, Body) {
    let by = match &body.source {
        Some(source) => {
            body.on_behalf_of = Some(caller.actor());
            Actor::Import(source.name.clone())
        }
        None => caller.actor(),
    };
    (Sender { by, role: caller.role, system: false }, body)
}

/// How far ahead of the clock something may be said to have happened: clocks differ, and it is tomorrow somewhere.
const AHEAD_MAX: TimeDelta = TimeDelta::days(1);

/// Refuses what is said to have happened in the future: a year that was mistyped would move what today is for everybody else.
/// What is planned has fields of its own.
fn refuse_the_future(command: &Command) -> Result<(), CommandError> {
    let ahead = command.body.occurred_at.is_some_and(|at| at > now() + AHEAD_MAX);
    if !ahead {
        return Ok(());
    }
    let message = "lies in the future, and nothing has happened there: mend the date; what is planned has a field of its own";
    Err(Malformed { field: Some("occurred_at".to_owned()), message: message.to_owned() }.into())
}

/// Carries out a command and counts what it recorded.
pub async fn send(rapport: &Rapport, command: Command) -> Result<Answer, CommandError> {
    refuse_the_future(&command)?;
    let answer = rapport.commands.execute(command).await?;
    metrics::counter!("rapport_events_recorded_total").increment(answer.events.len() as u64);
    Ok(answer)
}

/// Carries out many commands, each by itself, and counts what they recorded; the answers in the same order.
pub async fn send_all(rapport: &Rapport, commands: Vec<Command>) -> Vec<Result<Answer, CommandError>> {
    let (mut refused, mut sent) = (Vec::with_capacity(commands.len()), Vec::with_capacity(commands.len()));
    for command in commands {
        refused.push(refuse_the_future(&command).err());
        if matches!(refused.last(), Some(None)) {
            sent.push(command);
        }
    }
    let mut answered = rapport.commands.execute_all(sent).await.into_iter();
    let each = |refused: Option<CommandError>| match refused {
        Some(error) => Some(Err(error)),
        None => answered.next(),
    };
    let answers: Vec<_> = refused.into_iter().filter_map(each).collect();
    let recorded = answers.iter().flatten().map(|answer| answer.events.len() as u64).sum();
    metrics::counter!("rapport_events_recorded_total").increment(recorded);
    answers
}
