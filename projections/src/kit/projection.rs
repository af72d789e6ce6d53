//! The shape of a projection: tables, a fold and a question. The runtime gives the rest.

use domain::{Kind, Recorded, Role, StreamId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::kit::{
    answer::Shape,
    error::{ApplyError, ViewError},
    page::Page,
    tables::Tables,
};

/// One question that people ask, and the tables that answer it.
pub trait Projection: Send + Sync + 'static {
    /// The name: `GET /views/<NAME>`, and the files `views/<NAME>-<VERSION>-<generation>.sqlite`.
    const NAME: &'static str;
    /// The question in one sentence, shown wherever views are listed.
    const QUESTION: &'static str;
    /// Raise it when tables or fold change: the view is then built anew beside the old one.
    const VERSION: u32;
    /// Who may ask.
    const READERS: &'static [Role];
    /// Whether its rows are people or cells.
    const SHOWS: Shows;
    /// The parameters of its question whose values are personal: names, addresses, handles. They are left out
    /// where it is recorded who asked what.
    const PERSONAL_PARAMETERS: &'static [&'static str] = &[];
    /// The kinds whose events it wants; others are neither decoded nor handed over.
    const KINDS: &'static [Kind];
    /// The tables, as SQL. A column that holds a personal value is declared `PERSONAL TEXT`, in a table with a
    /// column `subject` that says whose it is.
    const TABLES: &'static str;
    /// The secondary indexes, as SQL, apart so that a rebuild loads first and indexes last.
    const INDEXES: &'static str;
    /// What can be asked: a flat struct of the query's parameters.
    type Query: DeserializeOwned + JsonSchema + Send;
    /// What is answered; its member `rows`, where there is one, is what CSV shows. It is read as well as written:
    /// whoever asks over HTTP gets it in this type again.
    type View: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// Folds one event into the tables. The same events in the same order make the same tables: no clock, no
    /// drawn ids, nothing but the event and the tables.
    fn apply(tables: &Tables, recorded: &Recorded) -> Result<(), ApplyError>;

    /// Answers a question from the tables; `None` where what is asked about does not exist.
    fn view(tables: &Tables, query: Self::Query, page: &Page) -> Result<Option<Self::View>, ViewError>;

    /// The type of an answer, which says the columns of its table. Only a view that answers in several ways (an untagged
    /// enum) has to say which of them this is.
    fn shape(_view: &Self::View) -> Shape {
        Shape::of::<Self::View>()
    }

    /// The things behind a cell of the answer: those counted in the row whose `group` is given, or in all rows;
    /// `None` where the view cannot say.
    fn behind(
        _tables: &Tables,
        _query: Self::Query,
        _group: Option<&str>,
        _page: &Page,
    ) -> Result<Option<Behind>, ViewError> {
        Ok(None)
    }
}

/// A page of the things behind a cell.
#[derive(Debug, Default)]
pub struct Behind {
    /// How many things the cell itself counts.
    pub count: i64,
    /// The things, in a fixed order.
    pub causes: Vec<Cause>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// One thing behind a cell, and the fields by which it got there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The thing.
    pub thing: StreamId,
    /// The fields of the thing that decide in which cell it counts; none where every event does.
    pub fields: Vec<String>,
    /// A field of another thing that decides too: the region of the owner of a deal.
    pub through: Option<(StreamId, String)>,
}

/// What the rows of a view are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// Rows about single people: names, addresses, journeys.
    People,
    /// Rows about donors as such.
    Donors,
    /// Counts and sums.
    Cells,
}
