//! Who stayed a donor from one year to the next, who came, who came back, and who went.

use domain::{ContactId, Currency, Money};
use rusqlite::params;
use uuid::Uuid;

use super::{
    answer::{Listed, LostDonor, Revenue, TwoYears, View},
    gift::blob,
    names::name_of,
    query::{Query, Show},
    year::Years,
};
use crate::kit::{Amounts, Page, Tables, ViewError, persons::person_in};

const RETENTION: &str = "donor retention 2: a donor of a year has at least one gift in force in it that did not go \
    back in full; merged contacts are one donor; whole years; soft credits and gifts without a donor do not count. Retained gave this year and \
    last; new never before; reactivated before last year, but not last year; lapsed last year, but not this. \
    Retention rate is retained ÷ donors last year; first-year the same of those whose first year was last year; \
    repeat of the others. Revenue retention, net of refunds: Bloomerang is what donors of both years gave this \
    year ÷ what all donors gave last year; Blackbaud the same ÷ what donors of both years gave last year.";
const LYBUNT: &str = "LYBUNT 2: donors with a gift in force last year and none this year; the amount is what is \
    kept of last year's gifts. Merged contacts are one donor. Soft credits do not count.";
const SYBUNT: &str = "SYBUNT 2: donors with a gift in force in some earlier year and none this year, those of \
    LYBUNT among them; the amount is what is kept of the gifts of the latest year in which they gave. Merged \
    contacts are one donor. Soft credits do not count.";

pub(super) fn view(tables: &Tables, query: &Query) -> Result<View, ViewError> {
    let rows = Years::of(tables, query.year_kind)?.rows();
    let year = query.year.unwrap_or_default();
    let mut retention = TwoYears { year, ..people(tables, rows, year)? };
    retention.revenue = revenue(tables, rows, year)?;
    let (definition, rows) = (RETENTION.into(), vec![retention]);
    Ok(View::Retention(Listed { definition, totals: None, donors: None, rows, next: None }))
}

/// The texts of SQL by which rows of contacts are told as rows of donors.
struct Donors {
    merged: bool,
}

impl Donors {
    fn of(tables: &Tables) -> Result<Self, ViewError> {
        Ok(Self { merged: tables.any_merged()? })
    }

    /// The rows of some years, each with its donor; called `d`.
    fn rows(&self, years: &str) -> String {
        let donor = if self.merged { person_in("donor") } else { "donor".to_owned() };
        let rows = "FROM donor_years WHERE year_kind = ?1 AND";
        format!("(SELECT {donor} AS donor, year, currency, net {rows} {years}) AS d")
    }

    /// Whether the donor of `d` has a row `o` that meets a condition.
    fn gave(&self, condition: &str) -> String {
        let rows = format!("o.year_kind = ?1 AND {condition}");
        let alone = format!("EXISTS (SELECT 1 FROM donor_years AS o WHERE {rows} AND o.donor = d.donor)");
        if !self.merged {
            return alone;
        }
        format!(
            "({alone} OR EXISTS (SELECT 1 FROM person AS p CROSS JOIN donor_years AS o
                 WHERE p.person = d.donor AND o.donor = p.contact AND {rows}))"
        )
    }
}

fn people(tables: &Tables, rows: &str, year: i32) -> Result<TwoYears, ViewError> {
    // Of each donor of a year: whether they gave in the other of the two years, and before both.
    let donors = Donors::of(tables)?;
    let sql = format!(
        "SELECT count(*), coalesce(sum(other), 0), coalesce(sum(before), 0), coalesce(sum(other AND before), 0) FROM (
             SELECT {} AS other, {} AS before FROM (SELECT DISTINCT d.donor FROM {}) AS d)",
        donors.gave("o.year = ?3"),
        donors.gave("o.year < ?4"),
        donors.rows("year = ?2"),
    );
    let count = |this: i32, other: i32| {
        let counts = tables.row(&sql, params![rows, this, other, year - 1], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })?;
        Ok::<[i64; 4], ViewError>(counts.unwrap_or_default())
    };
    let [active, retained, old, old_retained] = count(year, year - 1)?;
    let [last, stayed, repeat, repeat_retained] = count(year - 1, year)?;
    let reactivated = old - old_retained;
    let (first_year, first_year_retained) = (last - repeat, stayed - repeat_retained);
    Ok(TwoYears {
        active,
        donors_last_year: last,
        retained,
        new: active - retained - reactivated,
        reactivated,
        lapsed: last - stayed,
        retention_rate: rate(stayed, last),
        first_year_donors: first_year,
        first_year_retained,
        first_year_rate: rate(first_year_retained, first_year),
        repeat_donors: repeat,
        repeat_retained,
        repeat_rate: rate(repeat_retained, repeat),
        ..TwoYears::default()
    })
}

fn revenue(tables: &Tables, rows: &str, year: i32) -> Result<Vec<Revenue>, ViewError> {
    let donors = Donors::of(tables)?;
    let sql = format!(
        "SELECT currency, sum(CASE WHEN year = ?2 THEN 0 ELSE net END), sum(CASE WHEN year = ?2 THEN net ELSE 0 END),
             sum(CASE WHEN year < ?2 AND both THEN net ELSE 0 END), sum(CASE WHEN year = ?2 AND both THEN net ELSE 0 END)
         FROM (SELECT currency, year, net, {} AS both FROM {})
         GROUP BY currency ORDER BY currency",
        donors.gave("o.year = 2 * ?2 - 1 - d.year"),
        donors.rows("year IN (?2 - 1, ?2)"),
    );
    let sums = tables.rows(&sql, params![rows, year], |row| {
        let (currency, sums): (String, [i64; 4]) =
            (row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]);
        Ok((currency.parse::<Currency>(), sums))
    })?;
    let known = sums.into_iter().filter_map(|(currency, sums)| Some((currency.ok()?, sums)));
    Ok(known
        .map(|(currency, [last, this, retained_last, retained_this])| Revenue {
            last_year: Money::new(last, currency),
            this_year: Money::new(this, currency),
            retained_last_year: Money::new(retained_last, currency),
            retained_this_year: Money::new(retained_this, currency),
            bloomerang_rate: rate(retained_this, last),
            blackbaud_rate: rate(retained_this, retained_last),
        })
        .collect())
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than a float has")]
fn rate(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Who gave before, and not this year.
pub(super) fn lost(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let kind = Years::of(tables, query.year_kind)?.rows();
    let year = query.year.unwrap_or_default();
    let (definition, earlier) = match query.show {
        Show::Lybunt => (LYBUNT, "year = ?2 - 1"),
        Show::Sybunt | Show::Cells | Show::Retention | Show::Rollups => (SYBUNT, "year < ?2"),
    };
    let who = Donors::of(tables)?;
    let from = format!("FROM {} WHERE NOT {}", who.rows(earlier), who.gave("o.year = ?2"));
    let count = format!("SELECT count(DISTINCT d.donor) {from}");
    let donors = tables.row(&count, params![kind, year], |row| row.get(0))?;
    let after: Option<Uuid> = page.after()?;
    let sql = format!(
        "SELECT d.donor, max(d.year) {from} AND d.donor > ?3 GROUP BY d.donor ORDER BY d.donor LIMIT ?4"
    );
    let mut rows = tables.rows(&sql, params![kind, year, blob(after), page.fetch() as u64], |row| {
        Ok(LostDonor {
            donor: ContactId(row.get(0)?),
            name: None,
            last_gave: row.get(1)?,
            amount: Amounts::default(),
        })
    })?;
    let next = page.cut(&mut rows, |row| row.donor);
    for row in &mut rows {
        row.name = name_of(tables, row.donor.0)?;
        for part in tables.parts_of(row.donor.0)? {
            let sql =
                "SELECT currency, net FROM donor_years WHERE year_kind = ?1 AND year = ?2 AND donor = ?3";
            let amounts = tables.rows(sql, params![kind, row.last_gave, part], |row| {
                Ok((row.get::<_, String>(0)?.parse::<Currency>(), row.get(1)?))
            })?;
            for (currency, minor) in amounts {
                if let Ok(currency) = currency {
                    row.amount.add(minor, currency);
                }
            }
        }
    }
    Ok(View::Lost(Listed { definition: definition.into(), totals: None, donors, rows, next }))
}
