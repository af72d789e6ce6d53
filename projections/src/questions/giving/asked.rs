//! Which gifts a question asks for, and what the cells are called that they count in: said once in the words of SQL,
//! for the sums kept, and once for a single gift whose parts are looked at one by one.

use rusqlite::types::Value;
use uuid::Uuid;

use super::{
    gift::{Gift, Part, blob},
    query::{Group, Query},
    year::Years,
};
use crate::kit::{
    Month,
    filter::{Filter, Over, Property},
};

const CAMPAIGN: Property = Property::alike("campaign", "campaign");
const METHOD: Property = Property::alike("method", "method");
const STAGE: Property = Property::alike("stage", "stage");
const MONTH: Property = Property::time("received", "month", "received_on");
const FUND: Property = Property::alike("fund", "fund");
const HAS_DONOR: Property = Property::alike("has_donor", "has_donor");

/// A question about cells.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) by: Group,
    pub(super) years: Years,
}

impl Asked<'_> {
    /// Which gifts are asked for, in either table, apart from their donor and funds.
    fn filter(&self, over: Over) -> Filter {
        let Query { campaign, method, stage, received, .. } = self.query;
        Filter::over(over)
            .only(&CAMPAIGN, campaign.clone())
            .only(&METHOD, method.clone())
            .only(&STAGE, stage.clone())
            .within(&MONTH, *received)
    }

    /// Which of the sums kept are asked for; those of gifts with or without a donor only, where wanted.
    pub(super) fn of_cells(&self, has_donor: Option<bool>) -> Filter {
        let fund = self.query.fund.map(|fund| blob(Some(fund)));
        self.filter(Over::Cells).only(&FUND, fund).only(&HAS_DONOR, has_donor)
    }

    /// Which gifts are asked for, as far as their own columns say: what [`Self::takes`] is still to be asked of.
    pub(super) fn of_gifts(&self) -> Filter {
        self.filter(Over::Things)
    }

    /// Whether a part of a gift is asked for.
    pub(super) fn takes(&self, part: &Part) -> bool {
        self.query.fund.is_none() || part.fund == self.query.fund
    }

    /// What gives a sum that is kept its group, in the words of SQL.
    pub(super) fn key(&self) -> String {
        match self.by {
            Group::Donor => "x''".to_owned(),
            Group::Fund => FUND.over(Over::Cells).to_owned(),
            Group::Campaign => CAMPAIGN.over(Over::Cells).to_owned(),
            Group::Year => format!("(month + {}) / 12", self.years.shift()),
            Group::Month => MONTH.over(Over::Cells).to_owned(),
            Group::Method => METHOD.over(Over::Cells).to_owned(),
            Group::Stage => STAGE.over(Over::Cells).to_owned(),
        }
    }

    /// What the group of a [`Self::key`] is called.
    pub(super) fn group(&self, key: Value) -> String {
        match key {
            Value::Integer(number) => {
                let number = i32::try_from(number).unwrap_or_default();
                if self.by == Group::Month { Month(number).to_string() } else { year_name(number) }
            }
            Value::Text(text) => text,
            Value::Blob(bytes) => Uuid::from_slice(&bytes).map_or(String::new(), |id| id.to_string()),
            Value::Null | Value::Real(_) => String::new(),
        }
    }

    /// What the group of a part of a single gift is called.
    pub(super) fn group_of(&self, gift: &Gift, part: &Part) -> String {
        match self.by {
            Group::Donor => gift.donor.map_or(String::new(), |donor| donor.to_string()),
            Group::Fund => part.fund.map_or(String::new(), |fund| fund.to_string()),
            Group::Campaign => gift.campaign.clone(),
            Group::Year => year_name(self.years.year(gift.month())),
            Group::Month => gift.month().to_string(),
            Group::Method => gift.method.clone(),
            Group::Stage => gift.stage.clone(),
        }
    }
}

fn year_name(year: i32) -> String {
    format!("{year:04}")
}
