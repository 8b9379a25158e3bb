//! The query of an address: each known parameter at most once, unknown ones ignored.

use url::form_urlencoded;

use super::problem::Problem;

/// The decoded parameters of a query.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `a=1&b=2`.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter's value; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// 400 when it is given twice.
    pub fn get(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Problem::Malformed(format!("The parameter `{name}` is given more than once"))),
        }
    }

    /// All parameters in their order.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// A parameter that is a whole number from 1 to `most`; `default` when it is not there.
    ///
    /// # Errors
    ///
    /// 400 when it is something else or given twice.
    pub fn positive(&self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(text) = self.get(name)? else { return Ok(default) };
        whole(text).filter(|value| (1..=most).contains(value)).ok_or_else(|| {
            Problem::Malformed(format!("The parameter `{name}` must be a whole number from 1 to {most}"))
        })
    }

    /// A parameter that is a positive whole number of any length, of which at most `most` counts; `default` when it is not there.
    ///
    /// # Errors
    ///
    /// 400 when it is something else or given twice.
    pub fn capped(&self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(text) = self.get(name)? else { return Ok(default) };
        match whole(text) {
            None | Some(0) => {
                Err(Problem::Malformed(format!("The parameter `{name}` must be a positive whole number")))
            }
            Some(value) => Ok(value.min(most)),
        }
    }
}

/// Decimal digits and nothing else; a number that does not fit counts as the largest that does.
fn whole(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().unwrap_or(u64::MAX))
}
