//! The header `Retry-After`.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A longer wait is not asked for in earnest.
const MOST: Duration = Duration::from_hours(24);

/// How long to wait, at most a day: seconds, or a date, which counts from the answer's own `Date` so that the two clocks need not
/// agree. `None` when it is neither, or when there is no `Date`.
pub(super) fn wait(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let retry_after = retry_after.trim();
    if !retry_after.is_empty() && retry_after.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is too large for a number is too long for a wait.
        return Some(retry_after.parse().map_or(MOST, Duration::from_secs).min(MOST));
    }
    let wait = moment(retry_after)? - moment(date?)?;
    // One that has passed asks for no wait.
    Some(Duration::try_from(wait).unwrap_or_default().min(MOST))
}

/// A date of HTTP in its one current form (RFC 9110, 5.6.7), which is one of e-mail too.
fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_dates() {
        const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (text, date, seconds) in [
            ("0", None, Some(0)),
            ("120", None, Some(120)),
            (" 7 ", None, Some(7)),
            ("86401", None, Some(86_400)),
            ("99999999999999999999999999", None, Some(86_400)),
            ("", None, None),
            ("-1", Some(NOW), None),
            ("+1", Some(NOW), None),
            ("1.5", Some(NOW), None),
            ("soon", Some(NOW), None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(NOW), Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(NOW), Some(0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(NOW), Some(0)),
            ("Fri, 06 Nov 2994 08:49:37 GMT", Some(NOW), Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some("today"), None),
        ] {
            assert_eq!(wait(text, date), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
