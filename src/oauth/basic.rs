//! A client that shows its id and secret by HTTP Basic (RFC 6749, 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use url::form_urlencoded;

use crate::http::grant::GrantError;

/// What a client has shown.
#[derive(Debug)]
pub(super) struct Basic {
    pub(super) client: String,
    pub(super) secret: SecretString,
}

impl Basic {
    /// Reads the value of `Authorization`; `None` for any other scheme: some clients send the token that has expired.
    ///
    /// # Errors
    ///
    /// When it is Basic, but not an id and a secret.
    pub(super) fn read(header: &str) -> Result<Option<Self>, GrantError> {
        let Some((scheme, value)) = header.split_once(' ') else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(None);
        }
        let bytes = STANDARD.decode(value.trim()).map_err(|_| GrantError::Client)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| GrantError::Client)?;
        let (client, secret) = text.split_once(':').ok_or(GrantError::Client)?;
        Ok(Some(Self { client: decoded(client), secret: SecretString::from(decoded(secret)) }))
    }
}

/// Id and secret are encoded as in a form before they are joined. Neither of ours has anything to encode, so it does not matter who forgets it.
fn decoded(part: &str) -> String {
    // What is encoded has neither of these.
    if part.contains(['&', '=']) {
        return part.to_owned();
    }
    form_urlencoded::parse(part.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn id_and_secret_are_read_as_they_were_shown() {
        let read = |header: &str| {
            Basic::read(header).map(|basic| basic.map(|b| (b.client, b.secret.expose_secret().to_owned())))
        };
        let of = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let both = |client: &str, secret: &str| Ok(Some((client.to_owned(), secret.to_owned())));
        assert_eq!(read(&of("id:secret")), both("id", "secret"));
        assert_eq!(read(&of("a%2Db:c+%3A%25")), both("a-b", "c :%"));
        assert_eq!(read(&of("id:a&b=c:d")), both("id", "a&b=c:d"));
        assert_eq!(read(&of(":")), both("", ""));
        assert_eq!(read(&of("id:secret").replace("Basic", "bASIC")), both("id", "secret"));
        for other in ["", "Basic", "Bearer abc", "Basically x"] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
        for wrong in ["Basic ", "Basic a", "Basic ???", &of("no colon"), "Basic /w==", "Basic aWQ6c2VjcmV0 x"] {
            assert_eq!(read(wrong), Err(GrantError::Client), "{wrong}");
        }
    }
}
