//! The rollups that fundraisers know from NPSP, for one donor or for all.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use domain::{ContactId, Currency, Money};
use uuid::Uuid;

use super::{
    answer::{Listed, Rollups, View},
    cells::{donors_after, gifts_of},
    gift::{Gift, blob},
    names::name_of,
    query::Query,
    year::Years,
};
use crate::kit::{
    Month, Page, Tables, ViewError,
    filter::{Filter, Over},
};

const DEFINITION: &str = "rollups 3: over gifts in force up to the day asked for (`on`, else that of `as_of`, else today) that did not go back in full, \
    each with what is kept of it, in days of the organisation, for every donor and currency apart; merged contacts are one donor, soft credits do not \
    count. \
    `years_ago` takes one whole year, `days_back` the day and that many days before it. The average is rounded \
    half up to the minor unit. Of years equally good the latest is best. As in NPSP, years donated and the streak \
    are always over all time; the streak counts years on end back from the year of the day, or from the year \
    before where nothing has come in yet.";

/// Which gifts are looked at.
struct Window {
    on: NaiveDate,
    years: Years,
    years_ago: Option<u16>,
    since: Option<NaiveDate>,
}

impl Window {
    fn of(tables: &Tables, query: &Query, page: &Page) -> Result<Option<Self>, ViewError> {
        let on = match query.on.or(page.today()) {
            Some(on) => Some(on),
            // Only where nobody says which day it is.
            None => tables
                .row("SELECT max(day) FROM days", [], |row| row.get::<_, Option<i32>>(0))?
                .flatten()
                .and_then(NaiveDate::from_epoch_days),
        };
        let Some(on) = on else { return Ok(None) };
        let since = |days: u32| {
            on.checked_sub_days(Days::new(days.into()))
                .ok_or_else(|| ViewError::query("days_back", "goes back further than there are days"))
        };
        Ok(Some(Self {
            on,
            years: Years::of(tables, query.year_kind)?,
            years_ago: query.years_ago,
            since: query.days_back.map(since).transpose()?,
        }))
    }

    fn year_of(&self, day: NaiveDate) -> i32 {
        self.years.year(Month::of(day))
    }

    fn contains(&self, gift: &Gift) -> bool {
        let year = self.years_ago.map(|ago| self.year_of(self.on) - i32::from(ago));
        year.is_none_or(|year| self.year_of(gift.day()) == year)
            && self.since.is_none_or(|since| since <= gift.day())
    }
}

pub(super) fn view(tables: &Tables, query: &Query, page: &Page) -> Result<View, ViewError> {
    let mut listed =
        Listed { definition: DEFINITION.into(), totals: None, donors: None, rows: Vec::new(), next: None };
    let Some(window) = Window::of(tables, query, page)? else { return Ok(View::Rollups(listed)) };
    let after: Option<(Uuid, Currency)> = page.after()?;
    let is_later = |rollups: &Rollups| after.is_none_or(|after| (rollups.donor.0, rollups.currency) > after);
    let mut rows = Vec::new();
    if let Some(donor) = query.donor {
        let donor = tables.person_of(donor)?;
        rows.extend(of_donor(tables, &window, donor)?.into_iter().filter(is_later));
    } else {
        // The donor of the cursor is read again: a page may end between two of their currencies.
        let first = after.filter(|(donor, _)| !donor.is_nil());
        let mut seen = first.map_or(Vec::new(), |(donor, _)| blob(Some(before(donor))));
        loop {
            let donors = donors_after(tables, &seen)?;
            for donor in &donors {
                rows.extend(of_donor(tables, &window, *donor)?.into_iter().filter(is_later));
                if rows.len() >= page.fetch() {
                    break;
                }
            }
            match donors.last() {
                Some(last) if rows.len() < page.fetch() => seen = blob(Some(*last)),
                _ => break,
            }
        }
    }
    listed.next = page.cut(&mut rows, |row| (row.donor, row.currency));
    for row in &mut rows {
        row.name = name_of(tables, row.donor.0)?;
    }
    listed.rows = rows;
    Ok(View::Rollups(listed))
}

/// The id right before another one.
fn before(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_sub(1))
}

/// The rollups of a donor, a row for every currency in which they gave up to the day.
fn of_donor(tables: &Tables, window: &Window, donor: Uuid) -> Result<Vec<Rollups>, ViewError> {
    let mut currencies = BTreeMap::<Currency, Vec<Gift>>::new();
    for gift in gifts_of(tables, donor, &Filter::over(Over::Things))? {
        if gift.money.counts() && gift.day() <= window.on {
            currencies.entry(gift.currency()).or_default().push(gift);
        }
    }
    Ok(currencies.into_iter().map(|(currency, gifts)| roll_up(window, donor, currency, &gifts)).collect())
}

fn roll_up(window: &Window, donor: Uuid, currency: Currency, gifts: &[Gift]) -> Rollups {
    let money = |minor: i64| Money::new(minor, currency);
    let within: Vec<&Gift> = gifts.iter().filter(|gift| window.contains(gift)).collect();
    let nets = || within.iter().map(|gift| gift.net());
    let (count, sum) = (i64::try_from(within.len()).unwrap_or(i64::MAX), nets().sum::<i64>());
    let mut totals = BTreeMap::<i32, i64>::new();
    for gift in &within {
        *totals.entry(window.year_of(gift.day())).or_default() += gift.net();
    }
    let best = totals.iter().max_by_key(|(year, total)| (**total, **year));
    let mut years: Vec<i32> = gifts.iter().map(|gift| window.year_of(gift.day())).collect();
    years.dedup();
    Rollups {
        donor: ContactId(donor),
        name: None,
        currency,
        count,
        sum: money(sum),
        average: (count > 0).then(|| money((2 * sum + count).div_euclid(2 * count))),
        largest: nets().max().map(money),
        smallest: nets().min().map(money),
        first: within.first().map(|gift| gift.day()),
        first_amount: within.first().map(|gift| money(gift.net())),
        last: within.last().map(|gift| gift.day()),
        last_amount: within.last().map(|gift| money(gift.net())),
        donor_streak: streak(&years, window.year_of(window.on)),
        years_donated: years,
        best_year: best.map(|(year, _)| *year),
        best_year_total: best.map(|(_, total)| money(*total)),
    }
}

/// How many years on end up to this one, or to the one before where nothing has come in yet.
fn streak(years: &[i32], this_year: i32) -> usize {
    let last = if years.last() == Some(&this_year) { this_year } else { this_year - 1 };
    years.iter().rev().zip(0..).take_while(|(year, ago)| **year == last - ago).count()
}
