//! Asking views: who may ask which, the parameters that every view understands, and recording whom the answer shows.

use domain::{Kind, Position, Role};
use projections::{
    Answered, CellReasons, Description, JOURNEY_READERS, JOURNEY_VIEW, Page, Phase, Question, Shows, moment,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    caller::Caller,
    clock::now,
    disclosures::{self, Intent, Showing},
    error::Error,
    rapport::Rapport,
};

/// The longest query, in bytes.
const QUERY_LIMIT: usize = 8 * 1024;
/// The parameters that every view understands; `group` names a cell.
const COMMON: [&str; 6] = ["after", "as_of", "known_at", "cursor", "limit", "group"];

/// The views that the caller may ask.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Listing {
    /// Where the log ends.
    pub head: Position,
    /// View by view.
    pub views: Vec<ListedView>,
    /// The schemas to which those of the views refer.
    #[serde(rename = "$defs")]
    pub definitions: Map<String, Value>,
}

/// A view that the caller may ask, and how it is getting on.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct ListedView {
    /// Its name.
    pub name: String,
    /// Its question.
    pub question: String,
    /// Its version.
    pub version: u32,
    /// How far the log has been folded into it.
    pub position: Position,
    /// How far that is from the end of the log.
    pub lag: u64,
    /// Whether it moves on.
    pub phase: Phase,
    /// How far a rebuild beside it has come, while there is one.
    pub rebuilding: Option<Position>,
    /// The kinds that it folds.
    pub kinds: Vec<Kind>,
    /// Who may ask.
    pub readers: Vec<Role>,
    /// What its rows are.
    pub shows: Shows,
    /// The schema of its parameters.
    pub query: Schema,
    /// The schema of its answer.
    pub schema: Schema,
}

/// The views that the caller may ask.
pub fn list(rapport: &Rapport, caller: &Caller) -> Listing {
    let head = rapport.views.head();
    let mut generator = SchemaGenerator::default();
    let asked = rapport.views.statuses().into_iter().filter(|(view, _)| view.readers.contains(&caller.role));
    let views = asked.map(|(view, status)| ListedView {
        name: view.name.to_owned(),
        question: view.question.to_owned(),
        version: view.version,
        position: status.position,
        lag: head.0.saturating_sub(status.position.0),
        phase: status.phase,
        rebuilding: status.rebuilding,
        kinds: view.kinds.to_vec(),
        readers: view.readers.to_vec(),
        shows: view.shows,
        query: view.query_schema(&mut generator),
        schema: view.view_schema(&mut generator),
    });
    let views = views.collect();
    Listing { head, views, definitions: generator.take_definitions(true) }
}

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
        && let Some(showing) = disclosures::of_view(view, query, answered.position, &answered.answer)?
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
        let shown = reasons.concerned.clone();
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
    question.asked_at = Some(now());
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
