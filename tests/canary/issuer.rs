//! Somebody else who issues tokens, and serves the keys for them over TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::Ed25519KeyPair;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use widget_registry::sources::Clock;

use super::secrets::Secrets;
use crate::support::Claims;
use crate::tokens::Signer;
use crate::tokens::signers::{Kind, base64, message};

/// A running server of one key set, for as long as this process lives.
pub struct Issuer {
    pub url: String,
    /// The file of the certificate that is to be trusted.
    pub certificate: PathBuf,
    signer: Signer,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Issuer {
    /// Serves its keys at this path. By mistake the private half is among them, which is none of the registry's doing, but must go no
    /// further.
    pub fn start(secrets: &Secrets, folder: &Path, path: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let seed = pair.seed().unwrap().as_be_bytes().unwrap();
        secrets.note("key of another issuer", seed.as_ref());
        let signer = Signer { kid: "theirs".to_owned(), kind: Kind::EdDsa(pair) };
        let mut key = signer.jwk();
        key["d"] = json!(base64(seed.as_ref()));
        let set = json!({"keys": [key]}).to_string();

        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = folder.join("issuer.pem");
        let written = pem::Pem::new("CERTIFICATE", made.cert.der().to_vec());
        fs::write(&certificate, pem::encode(&written)).unwrap();
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let heard = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = std::sync::mpsc::channel();
        let all = heard.clone();
        // A runtime of its own: whoever starts a server blocks until that has asked for the keys.
        thread::spawn(move || {
            crate::program::server::block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, &set, &all).await;
                    }
                }
            });
        });
        let url = format!("https://{}/{path}.json", told.recv().unwrap());
        Self { url, certificate, signer, heard }
    }

    /// A token for an administrator of this account.
    pub fn token(&self, account: i64) -> String {
        let header = json!({"typ": "JWT", "alg": self.signer.algorithm(), "kid": self.signer.kid}).to_string();
        let claims = Claims::admin(account, 7).json(Clock::system().now()).to_string();
        let message = message(&header, claims.as_bytes());
        format!("{message}.{}", base64(&self.signer.sign(message.as_bytes())))
    }

    /// Every request so far, byte for byte.
    pub fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, set: &str, heard: &Mutex<Vec<u8>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap_or(0) > 0 {}
    heard.lock().unwrap().extend(request);
    let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{set}", set.len());
    // Who asked may have gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
