//! In whose name commands are sent, and sending them.

use commands::{Body, Command, CommandError, Sender};
use domain::{Actor, Answer};

use super::{caller::Caller, rapport::Rapport};

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

/// Carries out a command and counts what it recorded.
pub async fn send(rapport: &Rapport, command: Command) -> Result<Answer, CommandError> {
    let answer = rapport.commands.execute(command).await?;
    metrics::counter!("rapport_events_recorded_total").increment(answer.events.len() as u64);
    Ok(answer)
}

/// Carries out many commands, each by itself, and counts what they recorded; the answers in the same order.
pub async fn send_all(rapport: &Rapport, commands: Vec<Command>) -> Vec<Result<Answer, CommandError>> {
    let answers = rapport.commands.execute_all(commands).await;
    let recorded = answers.iter().flatten().map(|answer| answer.events.len() as u64).sum();
    metrics::counter!("rapport_events_recorded_total").increment(recorded);
    answers
}
