//! Granting tokens and revoking them: by administrators, and recorded like everything else.

use commands::{
    CommandError, Malformed, Request, Sender,
    member::{self, Command, Member},
    text::Line,
};
use domain::Role;

use super::{caller::Caller, clock::now, error::Error, rapport::Rapport, token::Token, tokens::Drawn};

/// Who may see, grant and revoke them.
pub const GRANTERS: &[Role] = &[Role::Admin];

/// Every token, without its secret.
pub fn all(rapport: &Rapport, caller: &Caller) -> Result<Vec<Token>, Error> {
    caller.must_be(GRANTERS)?;
    Ok(rapport.tokens.all())
}

/// Grants a token and gives its secret, which is seen here and never again.
pub async fn grant(rapport: &Rapport, caller: &Caller, name: &str, role: Role) -> Result<String, Error> {
    caller.must_be(GRANTERS)?;
    rapport.tokens.check(name)?;
    // Who was known before keeps their name, whatever it is now.
    let known_as = Line::try_from(name).map_err(Malformed::at("join.name"))?;
    let join = Command::Join { name: known_as, team: None, region: None };
    match record(rapport, caller, name, join).await {
        Err(CommandError::Rejected { .. }) | Ok(()) => {}
        Err(error) => return Err(error.into()),
    }
    let Drawn { secret, hash } = Drawn::new();
    let sha256 = Some(Line::try_from(hash.as_str()).map_err(Malformed::at("grant_token.sha256"))?);
    record(rapport, caller, name, Command::GrantToken { role, sha256 }).await?;
    match rapport.tokens.grant(name, role, &hash, now()).await {
        Ok(()) => Ok(secret),
        Err(error) => {
            record(rapport, caller, name, Command::RevokeToken {}).await?;
            Err(error.into())
        }
    }
}

/// Revokes a token.
pub async fn revoke(rapport: &Rapport, caller: &Caller, name: &str) -> Result<(), Error> {
    caller.must_be(GRANTERS)?;
    // Whoever bears it is out first; then that is recorded.
    rapport.tokens.revoke(name, now()).await?;
    record(rapport, caller, name, Command::RevokeToken {}).await?;
    Ok(())
}

async fn record(
    rapport: &Rapport,
    caller: &Caller,
    name: &str,
    command: Command,
) -> Result<(), CommandError> {
    let sender = Sender { by: caller.actor(), role: caller.role, system: true };
    rapport.commands.carry_out::<Member>(Request::new(member::id_of(name), command, sender)).await?;
    Ok(())
}
