//! What the events of a gift change.

use domain::{
    Kind, Money,
    gift::{Allocation, GiftCorrection, GiftEvent},
};

use super::{
    told::Told,
    value::{Content, Field, Value},
};

pub(super) fn tell(told: &mut Told<'_>, event: &GiftEvent) {
    match event {
        GiftEvent::Received { donor, amount, campaign, method, stage, allocations, soft_credits } => {
            told.may_be("donor", donor.map(|id| Value::thing(Kind::Contact, id.0)));
            told.is("amount", *amount);
            told.is("received", told.recorded.happened_at());
            told.may_be("campaign", campaign.as_ref());
            told.may_be("method", method.as_ref());
            told.may_be("stage", stage.as_ref());
            allocate(told, allocations);
            for credit in soft_credits {
                let credited = Field::of("soft credit of", Kind::Contact, credit.contact.0);
                told.is(credited, Value::from(credit.amount).noting(credit.role.as_str()));
            }
        }
        GiftEvent::Refunded { amount } => {
            let before = told.values(&REFUNDED.into()).into_iter().find_map(|value| match value.content {
                Content::Money(money) if money.currency == amount.currency => Some(money.minor),
                _ => None,
            });
            let whole = before.unwrap_or_default().saturating_add(amount.minor);
            told.is(REFUNDED, Money::new(whole, amount.currency));
        }
        GiftEvent::Allocated { allocations } if allocations.is_empty() => {
            let earlier = told.fields(ALLOCATION);
            for field in &earlier {
                told.is_gone(field.clone());
            }
            if earlier.is_empty() {
                told.is_gone("allocation");
            }
        }
        GiftEvent::Allocated { allocations } => {
            let named = |field: &Field| allocations.iter().any(|part| allocation(part) == *field);
            for field in told.fields(ALLOCATION).into_iter().filter(|field| !named(field)) {
                told.is_gone(field);
            }
            allocate(told, allocations);
        }
        GiftEvent::Acknowledged {} => told.is("donor thanked", "yes"),
        GiftEvent::Corrected { fact, correction } => {
            let GiftCorrection { donor, amount, stage, campaign, received_at } = correction;
            told.corrects(*fact);
            told.may_be("donor", donor.map(|id| Value::thing(Kind::Contact, id.0)));
            told.may_be("amount", *amount);
            told.may_be("received", *received_at);
            told.may_be("campaign", campaign.as_ref());
            told.may_be("stage", stage.as_ref());
        }
        GiftEvent::Voided {} => told.is("voided", "yes: it was recorded in error"),
    }
}

const REFUNDED: &str = "refunded in all";
const ALLOCATION: &str = "allocation to";

fn allocation(part: &Allocation) -> Field {
    Field::of(ALLOCATION, Kind::Fund, part.fund.0)
}

/// A fund that is named twice gets both parts.
fn allocate(told: &mut Told<'_>, allocations: &[Allocation]) {
    for (index, part) in allocations.iter().enumerate() {
        if allocations[..index].iter().any(|earlier| earlier.fund == part.fund) {
            continue;
        }
        let parts = allocations.iter().filter(|other| other.fund == part.fund);
        told.set(allocation(part), parts.map(|part| part.amount.into()).collect());
    }
}
