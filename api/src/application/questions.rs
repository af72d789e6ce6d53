//! Asking views: who may ask which, the parameters that every view understands, and recording whom the answer shows.

use domain::Position;
use projections::{
    Answered, CellReasons, Description, JOURNEY_READERS, JOURNEY_VIEW, Page, Question, moment,
};

use super::{
    caller::Caller,
    disclosures::{self, Intent, Showing},
    error::Error,
    rapport::Rapport,
};

/// The longest query, in bytes.
const QUERY_LIMIT: usize = 8 * 1024;
/// The parameters that every view understands; `group` names a cell.
const COMMON: [&str; 6] = ["after", "as_of", "known_at", "cursor", "limit", "group"];

/// The view of a name, for those who may ask it.
pub fn view(rapport: &Rapport, caller: &Caller, name: &str) -> Result<Description, Error> {
    let view = rapport.views.description(name)?;
    caller.must_be(view.readers)?;
    Ok(view)
}

/// Answers a question, once it is recorded whom the answer shows.
pub async fn answer(
    rapport: &Rapport,
    caller: &Caller,
    view: &Description,
    query: &str,
    intent: Intent,
) -> Result<Answered, Error> {
    caller.must_be(view.readers)?;
    let question = question(rapport, view.name.to_owned(), query).await?;
    if question.group.is_some() {
        let detail = "names a cell whose reasons are asked for: it goes with `/why` only";
        return Err(Error::malformed_at("group", detail));
    }
    let answered = rapport.views.ask(question).await?;
    if intent.is_recorded(caller)
        && let Some(showing) = disclosures::of_view(view, query, answered.position, &answered.json)
    {
        disclosures::record(rapport, caller, intent, showing).await?;
    }
    Ok(answered)
}

/// Why a cell of a view is what it is: for those who may ask the view and may read history.
pub async fn why_cell(
    rapport: &Rapport,
    caller: &Caller,
    view: &Description,
    query: &str,
    intent: Intent,
) -> Result<CellReasons, Error> {
    caller.must_be(view.readers)?;
    caller.must_be(JOURNEY_READERS)?;
    let question = question(rapport, view.name.to_owned(), query).await?;
    let position = rapport.views.head();
    let reasons = rapport.views.why_cell(question).await?;
    if intent.is_recorded(caller) {
        let positions: Vec<String> =
            reasons.rows.iter().map(|reason| reason.event.row.position.to_string()).collect();
        let shown = reasons.concerned.iter().map(|contact| contact.0).collect();
        let query = format!("at={}", positions.join(","));
        let showing = Showing { view: JOURNEY_VIEW, query, position, rows: positions.len() as u64, shown };
        disclosures::record(rapport, caller, intent, showing).await?;
    }
    Ok(reasons)
}

/// Splits the parameters that every view understands from those of this one. `group` names a cell.
async fn question(rapport: &Rapport, view: String, query: &str) -> Result<Question, Error> {
    if query.len() > QUERY_LIMIT {
        return Err(Error::malformed(format!("the parameters may have {QUERY_LIMIT} bytes")));
    }
    let mut question = Question { view, ..Question::default() };
    let (mut limit, mut cursor, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = COMMON.iter().find(|common| **common == name).copied() else {
            rest.push(pair);
            continue;
        };
        let value = decoded(name, value)?;
        match name {
            "after" => question.after = Some(Position(number(name, &value)?)),
            "limit" => limit = Some(usize::try_from(number(name, &value)?).unwrap_or(usize::MAX)),
            "cursor" => cursor = Some(value),
            "group" => question.group = Some(value),
            _ => {
                let zone = rapport.views.zone().await?;
                if name == "as_of" {
                    question.as_of = Some(moment::as_of(&value, zone)?);
                } else {
                    question.known_at = Some(moment::known_at(&value, zone)?);
                }
            }
        }
    }
    question.query = rest.join("&");
    question.page = Page::new(limit, cursor)?;
    Ok(question)
}

fn number(name: &'static str, value: &str) -> Result<u64, Error> {
    value.parse().map_err(|_| Error::malformed_at(name, "must be a whole number"))
}

/// Undoes percent-encoding.
fn decoded(name: &'static str, value: &str) -> Result<String, Error> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(&format!("value={value}"))
        .map_err(|_| Error::malformed_at(name, "is not percent-encoded UTF-8"))?;
    Ok(pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default())
}
