//! A body that comes in chunks, held until its request is answered.
//!
//! When the body of a request in chunks is dropped before its end, the server keeps reading after the answer, for as long as the
//! client likes and however much comes. While the body is held, the server closes the connection after the answer instead, as it
//! does with a body of a known length.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use futures_util::Stream;

use super::head::Head;

/// A body that both its reader and the answer hold.
#[derive(Clone)]
pub(super) struct Held(Rc<RefCell<Payload>>);

impl Held {
    /// The body to read, and what to hold; a body of a known length needs no holding.
    pub(super) fn split(head: &Head, payload: Payload) -> (Payload, Option<Self>) {
        if !head.headers().contains_key(header::TRANSFER_ENCODING) {
            return (payload, None);
        }
        let kept = Self(Rc::new(RefCell::new(payload)));
        (Payload::Stream { payload: Box::pin(kept.clone()) }, Some(kept))
    }

    /// Holds the body until this answer is sent.
    pub(super) fn until_sent(self, response: HttpResponse) -> HttpResponse {
        response.map_body(|_, body| BoxBody::new(Answer { body, _held: self }))
    }
}

impl Stream for Held {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct Answer {
    body: BoxBody,
    _held: Held,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
