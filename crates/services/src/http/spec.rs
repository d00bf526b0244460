//! What one web server is, as data. Differences between products are fields and tables here, never branches on a name.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// A web server. In bodies and in values of headers the placeholders of [`crate::BannerSpec`] hold, escapes do not:
/// pages have backslashes of their own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HttpSpec {
    /// The `Server` header; empty: none is sent.
    pub server: String,
    /// Headers of every answer, as `Name: value`.
    pub headers: Vec<String>,
    /// Names of headers in the order in which this server sends them; those not named follow. Left out: `Server`,
    /// `Date`, `Content-Type`, `Content-Length`, `Connection`.
    pub header_order: Vec<String>,
    /// Headers that this server never sends: `Date` of a clockless device.
    pub without: Vec<String>,
    /// The port in redirects and error pages where the request names none; that of the scheme if left out.
    pub port: u16,
    /// How requests are read, and which are refused.
    pub rules: HttpRules,
    /// How connections are kept.
    pub keeping: HttpKeeping,
    /// Pages by path.
    pub pages: Vec<HttpPage>,
    /// `Content-Type` of error pages; `text/html` if left out.
    pub error_type: String,
    /// Body of error pages that have none of their own: `{status}`, `{reason}`, `{title}` (of the page), `{text}`,
    /// `{host}`, `{port}`, `{method}`, `{location}`.
    pub error_body: String,
    /// Errors that differ from the rest.
    pub errors: Vec<HttpError>,
    /// Appended to error pages for clients that show their own instead of short ones (MSIE, Chrome).
    pub error_padding: String,
    /// How answers are compressed, if they are.
    pub gzip: Option<crate::http::coding::GzipSpec>,
    /// HTTP/2, where a client asks for it.
    pub http2: Option<crate::http::two::spec::Http2Spec>,
    /// Logins by form; those of HTTP itself belong to pages.
    pub form: Option<crate::http::forms::FormSpec>,
}

/// How a server reads requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HttpRules {
    /// When a request is judged.
    pub reading: Reading,
    /// Control characters and spaces in targets, odd names of headers and folds are let through (nginx before 1.21).
    pub loose: bool,
    /// Status for a head that is too long, its line and its fields; 414 and 400 if left out.
    pub line_too_long: u16,
    /// Status for fields that are too long or too many.
    pub fields_too_long: u16,
    /// Fields of a request at most; 0: no limit but their length.
    pub max_fields: u16,
    /// Status for a path that climbs above the root; 0: it stays there.
    pub above_root: u16,
    /// Status for `%` without two digits.
    pub bad_percent: u16,
    /// Status for `%2f`; 0: it is a slash.
    pub encoded_slash: u16,
    /// Status for `%00`.
    pub encoded_nul: u16,
    /// Status for `#`; 0: the path ends there.
    pub fragment: u16,
    /// Octets of one name in a path at most, 403 above: those of a file system.
    pub max_name: u16,
    /// Methods that the server knows; empty: any word.
    pub methods: Vec<String>,
    /// Status for others; 405 if left out.
    pub unknown_method_status: u16,
    /// Status for a known method that a page does not take; 405 if left out.
    pub wrong_method_status: u16,
    /// Methods that are refused whatever the path, with 405, and end the connection.
    pub refused_methods: Vec<String>,
    /// A method is judged before the path is looked up.
    pub methods_first: bool,
    /// What OPTIONS is answered with (`Allow`); empty: it is a method like others.
    pub options: String,
    /// The `Allow` header of a 405 or 501; empty: none.
    pub allow: String,
    /// POST to a page is GET.
    pub posts_get: bool,
    /// The answer waits for the request's body.
    pub waits: bool,
    /// A body is not waited for: the connection ends with the answer.
    pub unread_bodies: bool,
    /// A body that is longer is refused with 413; 0: none is.
    pub max_body: u64,
    /// What `Expect: 100-continue` brings.
    pub expect: Expect,
    /// HEAD to an error does not tell the page's length.
    pub silent_heads: bool,
    /// Redirects name the path alone.
    pub bare_redirects: bool,
    /// HTTP/1.0 is answered with HTTP/1.0, and has no ranges.
    pub echoes_version: bool,
    /// Redirects name the server's own port, whatever port the client asked for.
    pub redirects_own_port: bool,
    /// Paths whose last name begins so are refused with 403.
    pub hidden: String,
}

/// When a head is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// With every octet, as nginx does: the first wrong one is answered.
    #[default]
    Octets,
    /// Line by line, as Apache does: strict line ends, folds, tokens.
    Lines,
    /// When the whole head is there, as lighttpd does.
    Heads,
}

/// What `Expect: 100-continue` brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Nothing.
    #[default]
    Ignored,
    /// A 100 before a page, body or not; other expectations mean nothing.
    BeforePages,
    /// A 100 where a body is to come; 417 to other expectations.
    BeforeBodies,
}

/// How a server keeps connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HttpKeeping {
    /// Seconds that an idle connection is kept; 60 if left out.
    pub idle_s: u32,
    /// Seconds for a head to come in whole; 60 if left out.
    pub head_s: u32,
    /// Seconds for which the server asks its system to hold a connection back until octets come (TCP_DEFER_ACCEPT of
    /// Linux, which rounds up to its retransmissions of the SYN-ACK): to the server the connection begins after them.
    pub deferred_s: u32,
    /// The time of a head counts from its last piece on, and from the second request on it is that of an idle connection.
    pub idle_heads: bool,
    /// Seconds between two pieces of a body; those for a head if left out.
    pub body_s: u32,
    /// A head and a body have a second more for so many octets that came of them, and the seconds of a body count from
    /// its beginning on; 0: none has more time.
    pub octets_per_s: u32,
    /// Seconds for a head that it has at most in this way; `head-s` if left out.
    pub head_most_s: u32,
    /// Status of the answer to a client that is too slow in the middle of fields or of a body; 0: the connection ends.
    pub late_status: u16,
    /// Requests on one connection; 1000 if left out.
    pub max_requests: u32,
    /// When `Connection: keep-alive` is said.
    pub announced: Announced,
    /// How it is spelled; `keep-alive` if left out.
    pub word: String,
    /// Says `Keep-Alive: timeout=…, max=…` with it.
    pub terms: bool,
    /// Statuses after which the connection is closed, and that is said.
    pub closing: Vec<u16>,
    /// Statuses after which the connection is closed though the answer says nothing of it.
    pub breaking: Vec<u16>,
    /// How the server reads on when it has said all; if left out it closes at once.
    pub linger: Option<HttpLinger>,
}

/// How long a server that ends a connection reads on after its FIN. Whatever comes later is answered with RST.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HttpLinger {
    /// Only where something of the client may be unread: a body, or what came behind a request or in a refused head.
    pub unread_only: bool,
    /// Seconds of silence until it closes; only `most-s` counts if left out.
    pub silence_s: u32,
    /// Seconds in all.
    pub most_s: u32,
    /// The same for a client that was too slow; `most-s` if left out.
    pub late_s: u32,
}

/// When `Connection: keep-alive` is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Announced {
    /// Whenever the connection is kept.
    #[default]
    Always,
    /// If the client said it.
    Asked,
    /// If a client of HTTP/1.0 said it.
    AskedByOld,
    /// Never.
    Never,
}

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HttpPage {
    /// Path, exact, without a query. One that ends with `/` is a folder: without the slash it is redirected to.
    pub path: String,
    /// Other paths that lead to it.
    pub also: Vec<String>,
    /// Methods beside GET and HEAD.
    pub methods: Vec<String>,
    /// Status, 200 if left out.
    pub status: u16,
    /// `Content-Type`; none is sent for `-`.
    pub content_type: String,
    /// Headers of this page, as `Name: value`.
    pub headers: Vec<String>,
    /// Body.
    pub body: String,
    /// A file of the server's own disk: it has a date, a tag and ranges.
    pub file: Option<FileSpec>,
    /// Who may see it.
    pub login: Option<crate::http::auth::AuthSpec>,
    /// Only those who are logged in by form see it; others are sent to the form.
    pub members: bool,
}

/// What a file server says of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FileSpec {
    /// How the tag is made.
    pub etag: Etag,
    /// Seconds since 1970 of the first moment that the file may have been written; each decoy has its own, later one.
    pub modified: u64,
    /// Seconds after it within which decoys differ; 0: all have that one.
    pub spread: u32,
    /// How ranges are answered.
    pub ranges: Ranges,
    /// `If-Modified-Since` must be the date itself, not a later one, and an `If-Unmodified-Since` that is no date fails.
    pub exact_date: bool,
    /// `If-Match` and `If-Unmodified-Since` mean nothing, `If-None-Match` alone decides where it is said (RFC 9110
    /// §13.2.2), and dates may lie in the future.
    pub plain_conditions: bool,
    /// `Accept-Ranges` is left out where a part is sent.
    pub bare_parts: bool,
    /// Which of `Last-Modified`, `ETag` and `Accept-Ranges` a 412 has.
    pub failed: Vec<String>,
    /// Which of them a 304 has; `Content-Type` may be named as well.
    pub not_modified: Vec<String>,
}

/// How an entity tag is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Etag {
    /// None.
    #[default]
    None,
    /// `"` seconds `-` length `"`, hexadecimal (nginx).
    SecondsLength,
    /// `"` length `-` microseconds `"`, hexadecimal (Apache).
    LengthMicroseconds,
    /// `"` a number of 32 bits `"`, decimal, the decoy's own (lighttpd, which makes it of inode, length and date).
    Number,
    /// `"` 100-nanosecond intervals since 1601, its last octets, `:0"` (IIS).
    FileTime,
}

/// How ranges are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranges {
    /// With the whole.
    #[default]
    None,
    /// Wrong ranges are 416 (nginx).
    Strict,
    /// Wrong ranges are as if there were none, and neighbours are joined (Apache).
    Lenient,
    /// Wrong ranges are 416, and neighbours that are near are joined (lighttpd).
    Joined,
}

/// One kind of error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct HttpError {
    /// Its status.
    pub status: u16,
    /// Which of those with the status: `field-size`, `field-count`, `host`, `body`, `expectation` (in a body whose request
    /// is refused anyway), `http2` (before there was a request); empty: all others.
    pub when: String,
    /// Reason phrase; that of RFC 9110 if left out.
    pub reason: String,
    /// Title of the page; the reason if left out.
    pub title: String,
    /// Text in the page.
    pub text: String,
    /// A body of its own; empty: that of `error-body`.
    pub body: String,
    /// A page without a body.
    pub bare: bool,
    /// Its length is not told: the body ends with the connection, or comes in chunks where that is kept.
    pub unmeasured: bool,
    /// Headers, as `Name: value`.
    pub headers: Vec<String>,
}
