//! Request bodies: what they may be, and how they are read within bounds of size, time and memory.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::Problem;

/// The unit in which memory for texts is counted, in octets; a semaphore counts to 2^32 at least.
const MEMORY_UNIT: usize = 1024;

/// When to try again after texts of others took all memory: they are gone within a time limit, most sooner.
const RETRY_MEMORY: Duration = Duration::from_secs(5);

/// Memory for the texts that are being received, checked and sent; clones share it.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(crate) fn new(size: usize) -> Memory {
        Memory(Arc::new(Semaphore::new(size.div_ceil(MEMORY_UNIT))))
    }

    /// Makes `share` one of `size` octets.
    fn grow(&self, share: &mut Option<OwnedSemaphorePermit>, size: usize) -> Result<(), Problem> {
        let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(size.div_ceil(MEMORY_UNIT).saturating_sub(held)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.0).try_acquire_many_owned(more).map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "too many zone files are on their way; try again in some seconds",
            )
            .retry_after(RETRY_MEMORY)
        })?;
        match share {
            Some(share) => share.merge(permit),
            None => *share = Some(permit),
        }
        Ok(())
    }

    /// Counts `text` for as long as anybody holds it.
    ///
    /// # Errors
    ///
    /// 503 when there is no memory left for it.
    pub(crate) fn count(&self, text: Bytes) -> Result<Bytes, Problem> {
        let mut share = None;
        self.grow(&mut share, text.len())?;
        Ok(Bytes::from_owner(Counted { text, _share: share }))
    }
}

/// A text and its share of the memory, which are given back together.
struct Counted<T> {
    text: T,
    _share: Option<OwnedSemaphorePermit>,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Counted<T> {
    fn as_ref(&self) -> &[u8] {
        self.text.as_ref()
    }
}

/// Reads bodies.
pub(crate) struct BodyReader {
    size_max: usize,
    timeout: Duration,
    memory: Memory,
}

impl BodyReader {
    pub(crate) fn new(size_max: usize, timeout: Duration, memory: Memory) -> BodyReader {
        BodyReader { size_max, timeout, memory }
    }

    /// Reads a whole body, whose memory is counted for as long as anybody holds it.
    ///
    /// # Errors
    ///
    /// 408, 413, 503 and 400 when it breaks off; each of them ends the connection, as the rest stays unread.
    pub(crate) async fn read<B>(&self, headers: &HeaderMap, body: B) -> Result<Bytes, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let announced = content_length(headers);
        if announced.is_some_and(|size| size > self.size_max as u64) {
            return Err(self.too_large());
        }
        match timeout(self.timeout, self.read_on(announced, body)).await {
            Ok(result) => result,
            Err(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body-timeout",
                format!("the body did not arrive within {} s; nothing was changed", self.timeout.as_secs_f32()),
            )
            .end_connection()),
        }
    }

    async fn read_on<B>(&self, announced: Option<u64>, mut body: B) -> Result<Bytes, Problem>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        // What was announced is reserved in address space only: pages are taken as octets arrive.
        let expected = announced.unwrap_or(0).min(self.size_max as u64) as usize;
        let mut octets = Vec::with_capacity(expected);
        let mut share = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                Problem::new(StatusCode::BAD_REQUEST, "body-cut-off", "the body broke off; nothing was changed")
                    .end_connection()
            })?;
            // Trailer fields say nothing that is asked for here.
            let Ok(chunk) = frame.into_data() else { continue };
            if octets.len() + chunk.len() > self.size_max {
                return Err(self.too_large());
            }
            self.memory.grow(&mut share, octets.len() + chunk.len()).map_err(Problem::end_connection)?;
            octets.extend_from_slice(&chunk);
        }
        Ok(Bytes::from_owner(Counted { text: octets, _share: share }))
    }

    fn too_large(&self) -> Problem {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("a zone file may have {} octets at most; nothing was changed", self.size_max),
        )
        .end_connection()
    }
}

/// Whether the request has a body, or begins one that is empty.
pub(crate) fn has_body(body: &Incoming) -> bool {
    !body.is_end_stream()
}

/// Refuses transfer codings beside `chunked`: nobody undoes them here (RFC 9112 §6.1).
///
/// # Errors
///
/// 501.
pub(crate) fn check_coding(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all(TRANSFER_ENCODING).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    let detail = "the only Transfer-Encoding known here is chunked; send the body as it is";
    Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "unknown-transfer-coding", detail))
}

/// Refuses bodies that are no text as it stands: another media type, another charset, a content coding.
///
/// # Errors
///
/// 415, which says how to send a zone file.
pub(crate) fn check_type(headers: &HeaderMap) -> Result<BodyType, Problem> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("the body is compressed (Content-Encoding); send it as it is"));
    }
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(BodyType::Plain) };
    if values.next().is_some() {
        return Err(unsupported("there are several Content-Type header fields; send one, as in text/dns"));
    }
    let value = value.to_str().map_err(|_| unsupported("the Content-Type is not ASCII; text/dns would be right"))?;
    let mut parts = value.split(';').map(str::trim);
    let body_type = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "text/dns" | "text/plain" | "application/octet-stream" => BodyType::Plain,
        "application/x-www-form-urlencoded" => BodyType::Form,
        "multipart/form-data" => {
            return Err(unsupported("forms are not read: send the file with curl --data-binary @FILE rather than -F"));
        }
        _ => return Err(unsupported("send the zone file as text/dns or text/plain, as curl --data-binary @FILE does")),
    };
    for parameter in parts {
        let Some((key, charset)) = parameter.split_once('=') else { continue };
        let charset = charset.trim_matches('"');
        let is_known = ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known));
        if key.eq_ignore_ascii_case("charset") && !is_known {
            return Err(unsupported("the charset of a zone file is UTF-8"));
        }
    }
    Ok(body_type)
}

/// How the body was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    /// As text.
    Plain,
    /// As a form, which is what curl says of anything it posts; with `-d` it also removed the line breaks.
    Form,
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
}

/// Tells clients that only plain bodies are taken (RFC 9110 §12.5.3).
pub(crate) fn no_codings() -> (http::HeaderName, HeaderValue) {
    (ACCEPT_ENCODING, HeaderValue::from_static("identity"))
}

/// hyper has refused lengths that are no numbers.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn check(fields: &[(http::HeaderName, &str)]) -> Result<BodyType, StatusCode> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        check_type(&headers).map_err(|problem| problem.status())
    }

    #[tokio::test]
    async fn bodies_share_a_budget_of_memory() {
        let reader = BodyReader::new(100_000, Duration::from_secs(60), Memory::new(100_000));
        let read = async |size: usize| {
            let body = Full::new(Bytes::from(vec![b'\n'; size]));
            reader.read(&HeaderMap::new(), body).await.map_err(|problem| problem.status())
        };
        let held = read(60_000).await.unwrap();
        let sent = held.clone();
        assert_eq!(held.len(), 60_000);
        assert_eq!(read(60_000).await.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
        assert!(read(30_000).await.is_ok());
        drop(held);
        assert_eq!(read(60_000).await.err(), Some(StatusCode::SERVICE_UNAVAILABLE), "somebody still sends it");
        drop(sent);
        let text = reader.memory.count(Bytes::from_static(b"counted")).unwrap();
        assert!(read(100_000).await.is_err());
        drop(text);
        assert!(read(100_000).await.is_ok());
        assert_eq!(read(100_001).await.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn zone_files_come_as_text_as_octets_or_as_curl_sends_them() {
        for value in
            ["text/dns", "Text/Plain; charset=UTF-8", "text/dns;charset=\"us-ascii\"", "application/octet-stream"]
        {
            assert_eq!(check(&[(CONTENT_TYPE, value)]), Ok(BodyType::Plain), "{value}");
        }
        assert_eq!(check(&[]), Ok(BodyType::Plain));
        assert_eq!(check(&[(CONTENT_TYPE, "application/x-www-form-urlencoded")]), Ok(BodyType::Form));
        assert_eq!(check(&[(CONTENT_ENCODING, "identity")]), Ok(BodyType::Plain));
    }

    #[test]
    fn other_types_charsets_and_codings_are_refused() {
        let refused = Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        for value in
            ["text/html", "application/json", "multipart/form-data; boundary=x", "text", "", "text/dns; charset=utf-16"]
        {
            assert_eq!(check(&[(CONTENT_TYPE, value)]), refused, "{value}");
        }
        assert_eq!(check(&[(CONTENT_ENCODING, "gzip")]), refused);
        assert_eq!(check(&[(CONTENT_TYPE, "text/dns"), (CONTENT_TYPE, "text/html")]), refused);
    }
}
