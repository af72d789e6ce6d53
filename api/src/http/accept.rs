//! What a client would like an answer to look like: the one reading of `Accept`, with quality values and wildcards.

use axum::http::{HeaderMap, header};
use headers_accept::Accept;
use mediatype::{
    MediaType, Name,
    names::{APPLICATION, CSV, HTML, JSON, TEXT},
};

/// An answer as JSON.
pub(super) const APPLICATION_JSON: MediaType<'static> = MediaType::new(APPLICATION, JSON);
/// A problem as JSON.
pub(super) const PROBLEM_JSON: MediaType<'static> =
    MediaType::from_parts(APPLICATION, Name::new_unchecked("problem"), Some(JSON), &[]);
/// Events as one batch of `CloudEvents`.
pub(super) const CLOUD_EVENTS: MediaType<'static> =
    MediaType::from_parts(APPLICATION, Name::new_unchecked("cloudevents-batch"), Some(JSON), &[]);
/// Events as a live feed.
pub(super) const EVENT_STREAM: MediaType<'static> = MediaType::new(TEXT, Name::new_unchecked("event-stream"));
/// Rows as a file.
pub(super) const TEXT_CSV: MediaType<'static> = MediaType::new(TEXT, CSV);
/// A page for people.
pub(super) const TEXT_HTML: MediaType<'static> = MediaType::new(TEXT, HTML);

/// Which of several forms a client prefers, of those that are offered. The first is what everybody gets who says nothing,
/// nothing that can be read, or only what is not offered: an answer that was not asked for is more use than none.
pub(super) fn preferred<'a>(
    headers: &HeaderMap,
    offered: &'a [MediaType<'static>],
) -> &'a MediaType<'static> {
    let lines = headers.get_all(header::ACCEPT).iter();
    let said = lines.map(|line| line.to_str().ok()).collect::<Option<Vec<_>>>().unwrap_or_default().join(",");
    let accepted: Option<Accept> = said.parse().ok();
    accepted.and_then(|accepted| accepted.negotiate(offered)).unwrap_or(&offered[0])
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// What is answered where one of two forms can be.
    fn check(accept: &[&'static str], offered: &[MediaType<'static>; 2], expected: &MediaType<'static>) {
        let mut headers = HeaderMap::new();
        for line in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(line));
        }
        assert_eq!(preferred(&headers, offered), expected, "{accept:?} of {offered:?}");
    }

    #[test]
    fn a_view_is_a_file_where_a_file_is_preferred() {
        let offered = [APPLICATION_JSON, TEXT_CSV];
        for (accept, expected) in [
            ("", APPLICATION_JSON),
            ("*/*", APPLICATION_JSON),
            ("application/*", APPLICATION_JSON),
            ("application/json", APPLICATION_JSON),
            ("text/csv;q=0.5, application/json", APPLICATION_JSON),
            ("text/csv;q=0.5, */*;q=0.1", TEXT_CSV),
            ("text/csv;q=0, */*", APPLICATION_JSON),
            ("text/csv; q=0", APPLICATION_JSON),
            ("application/json;q=0.2, text/csv;q=0.9", TEXT_CSV),
            ("text/html, text/csv", TEXT_CSV),
            ("text/*", TEXT_CSV),
            ("text/csv", TEXT_CSV),
            ("TEXT/CSV", TEXT_CSV),
            ("text/csv, application/json", TEXT_CSV),
            // Nothing of it is offered, or it cannot be read.
            ("image/png", APPLICATION_JSON),
            ("x-text/csv-like", APPLICATION_JSON),
            ("nonsense", APPLICATION_JSON),
            (",,;q=", APPLICATION_JSON),
        ] {
            check(&[accept], &offered, &expected);
        }
        check(&[], &offered, &APPLICATION_JSON);
        check(&["application/json;q=0.1", "text/csv"], &offered, &TEXT_CSV);
    }

    #[test]
    fn a_feed_and_a_page_are_for_those_who_prefer_them() {
        let events = [CLOUD_EVENTS, EVENT_STREAM];
        check(&["text/event-stream"], &events, &EVENT_STREAM);
        check(&["text/event-stream, */*;q=0.1"], &events, &EVENT_STREAM);
        check(&["application/cloudevents-batch+json"], &events, &CLOUD_EVENTS);
        check(&["application/cloudevents-batch+json, text/event-stream;q=0.5"], &events, &CLOUD_EVENTS);
        check(&["*/*"], &events, &CLOUD_EVENTS);
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        check(&[browser], &[PROBLEM_JSON, TEXT_HTML], &TEXT_HTML);
        check(&["*/*"], &[PROBLEM_JSON, TEXT_HTML], &PROBLEM_JSON);
        check(&["text/html;q=0.1, application/problem+json"], &[PROBLEM_JSON, TEXT_HTML], &PROBLEM_JSON);
    }
}
