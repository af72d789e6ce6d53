//! Ending what somebody gets by the link in a letter: no token, no name. What it does is a command like any other, by a
//! named actor.

use commands::{
    CommandError, Request, Sender,
    contact::{Command, Contact},
};
use domain::{Actor, Role};

use super::{caller::Caller, error::Error, rapport::Rapport, unsubscribe_link::UnsubscribeLink};

/// Who makes links.
pub const MAKERS: &[Role] = &[Role::Admin, Role::Staff];
/// Under which name a link writes.
pub const POLICY: &str = "unsubscribe-link";

/// How the press of a button came out.
#[derive(Debug)]
pub enum Withdrawal {
    /// It is withdrawn, now or long ago.
    Withdrawn,
    /// Nobody is written to under this contact any more, so that there is nothing to stop.
    NothingToStop,
}

/// The link of a contact for a purpose and a channel, as it stands in a URL.
pub fn make(rapport: &Rapport, caller: &Caller, link: &UnsubscribeLink) -> Result<String, Error> {
    caller.must_be(MAKERS)?;
    Ok(link.token(rapport.folder.installation_secret()))
}

/// Reads a link; none where it was not signed here.
pub fn read(rapport: &Rapport, token: &str) -> Option<UnsubscribeLink> {
    UnsubscribeLink::read(token, rapport.folder.installation_secret())
}

/// Ends what a link is for, however often it is asked.
pub async fn withdraw(rapport: &Rapport, link: &UnsubscribeLink) -> Result<Withdrawal, Error> {
    match send(rapport, link).await {
        Ok(()) => Ok(Withdrawal::Withdrawn),
        Err(CommandError::Rejected { .. }) => Ok(Withdrawal::NothingToStop),
        Err(error) => Err(error.into()),
    }
}

async fn send(rapport: &Rapport, link: &UnsubscribeLink) -> Result<(), CommandError> {
    let command = Command::WithdrawConsent { purpose: link.purpose, channel: link.channel };
    let sender = Sender { by: Actor::Policy(POLICY.to_owned()), role: Role::Staff, system: false };
    rapport.commands.carry_out::<Contact>(Request::new(link.contact, command, sender)).await?;
    Ok(())
}
