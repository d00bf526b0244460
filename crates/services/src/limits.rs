//! The limits of services, in one place: how many octets, how long and how many of a kind a conversation keeps, whatever
//! a client does. How many connections there may be is the stack's (`tcp/admission.rs` of the engine), since services
//! know of no connection.
//!
//! What a protocol or a product fixes (a line of Apache's, a packet of OpenSSH's, a time in a profile) is no limit of
//! ours: it stands where it is answered. Each of these bounds what a client can make the server hold or do beyond that.

/// What every conversation holds back.
pub(crate) mod outbox {
    /// Unsent octets above which a conversation takes no more input: an answer to a pipelined request is at most a page,
    /// and a client that does not read must not make the server store.
    pub(crate) const MAX_PENDING: usize = 64 * 1024;
    /// Observations that wait at most; a stack fetches them after every call, so more means that it is behind.
    pub(crate) const MAX_FACTS: usize = 32;
}

/// What is told of a client.
pub(crate) mod message {
    /// Different messages that one conversation tells of; a fuzzer at the other end must not fill the store.
    pub(crate) const MAX_DISTINCT: usize = 32;
    /// Octets kept of each part of a request, and of what a client calls itself: RFC 2617 names no limit, tools stay far
    /// below.
    pub(crate) const MAX_PART: usize = 512;
    /// Octets kept of a name or a secret that was offered: no server takes passwords of more than some kilobytes, and
    /// name, secret and client together must fit the datagram that carries an observation to the hub.
    pub(crate) const MAX_CREDENTIAL: usize = 16 * 1024;
    /// Octets in which marks of tools are looked for: every mark stands near the beginning.
    pub(crate) const MAX_LOOKED_AT: usize = 4096;
}

/// Keys that take long to make, of all decoys.
pub(crate) mod keys {
    /// Keys that are kept; the one that was used longest ago goes first, and is found again in a third of a second. One
    /// takes some 2 KiB.
    pub(crate) const MAX_KEYS: usize = 2048;
    /// Searches that go on at the same time; the one that was asked for longest ago is given up, and begins anew when it
    /// is asked for again.
    pub(crate) const MAX_SEARCHES: usize = 256;
}

/// RFC 862.
pub(crate) mod echo {
    /// Octets that wait to be echoed at most; more leaves the client's window to close.
    pub(crate) const MAX_PENDING: usize = 16 * 1024;
}

/// Servers that greet and answer by rules, and logins of the telnet kind.
pub(crate) mod banner {
    /// Octets of a line that are kept; RFC 5321 §4.5.3.1 allows 512 for a command, and what is longer answers nothing.
    pub(crate) const MAX_LINE: usize = 1024;
}

/// A boat's sentences.
pub(crate) mod feed {
    /// Unsent octets above which a round is left out: a client that does not read gets gaps, not history.
    pub(crate) const MAX_BACKLOG: usize = 8 * 1024;
}

/// Services of the user's own.
pub(crate) mod script {
    /// Octets of one answer: a page of text. What captures would make longer is cut.
    pub(crate) const MAX_ANSWER: usize = 16 * 1024;
    /// Requests of one connection; then it is closed, as a server that counts would.
    pub(crate) const MAX_REQUESTS: u32 = 10_000;
    /// Longest life of a connection in nanoseconds, whatever the client does: a slow drip is not kept for ever.
    pub(crate) const MAX_LIFE_NS: u64 = 3_600_000_000_000;
    /// Seconds that a silent client is kept if the service does not say.
    pub(crate) const IDLE_S: u32 = 300;
    /// Captures that one service may name. Each is an entry of a small table, compared by name.
    pub const MAX_CAPTURES: usize = 32;
    /// Octets kept of one capture; as many as an observation keeps of a part of a message.
    pub(crate) const MAX_CAPTURED: usize = 512;
}

/// HTTP/1.x.
pub(crate) mod http {
    /// Octets of a request line and its fields together: nginx's four buffers of 8 KiB and its first of 1 KiB. Apache
    /// would take a hundred lines of 8 KiB; nobody but a test sends them.
    pub(crate) const MAX_HEAD: usize = 33 * 1024;
    /// Octets that are taken before they are read: a head, and what a client sends behind it.
    pub(crate) const MAX_INPUT: usize = MAX_HEAD + 4096;
    /// Octets of a body that are kept: forms are shorter, and evidence need not be whole. The rest is read past, so that
    /// a gigabyte costs what is kept of it.
    pub(crate) const MAX_KEPT: usize = 8 * 1024;
    /// Octets of a chunk's size line, and of all trailers.
    pub(crate) const MAX_CHUNK_LINE: u32 = 8 * 1024;
    /// Ranges of one request; nginx and Apache allow more, and serve no honest client with them.
    pub(crate) const MAX_RANGES: usize = 64;
    /// Fields of a form that are looked at: a login has two or three, and what a framework adds.
    pub(crate) const MAX_FIELDS: usize = 64;
    /// Octets of names and answers of NTLM that are looked at; honest ones are below half of it.
    pub(crate) const MAX_NTLM: usize = 1024;
    /// Requests of one connection that are told of; a flood of them says nothing new.
    pub(crate) const MAX_TOLD: u32 = 2000;
    /// Requests on one connection if the product does not say, as nginx counts them (`keepalive_requests`).
    pub(crate) const MAX_REQUESTS: u32 = 1000;
    /// Seconds that a silent connection is kept if the product does not say.
    pub(crate) const KEPT_S: u32 = 60;
}

/// HTTP/2. What libnghttp2 counts stands in `http/two`.
pub(crate) mod two {
    /// Octets that are read at once: what is judged together, and a bound for what an answer may be held up by.
    pub(crate) const MAX_BATCH: usize = 16 * 1024;
    /// Octets that all streams of a connection keep: requests, bodies and answers that the client does not take. An
    /// honest client takes what it asks for; whoever opens no window is refused further streams.
    pub(crate) const MAX_HELD: usize = 256 * 1024;
    /// Streams that are kept, those among them whose body is only evidence.
    pub(crate) const MAX_STREAMS: usize = 256;
    /// Octets that stand in for headers before they are read, and of a padded frame: more is no request.
    pub(crate) const MAX_BLOCK: usize = 32 * 1024;
    /// Octets of one list of headers that are kept. A few octets can stand for entries of four kilobytes each, again and
    /// again: beyond this the list is counted, so that its request is refused, and not kept.
    pub(crate) const MAX_LIST: usize = 64 * 1024;
    /// Fields of one list that are kept: more than any server takes.
    pub(crate) const MAX_FIELDS: usize = 1200;
}

/// TLS.
pub(crate) mod tls {
    /// Octets of messages that are kept. A hello with a post-quantum key share has some 2 KiB; a thousand clients that
    /// send all but the last octet of the longest would fill 128 MiB.
    pub(crate) const MAX_MESSAGE: usize = 32 * 1024;
    /// Seconds for a handshake where the product does not say: nginx's `client_header_timeout`.
    pub(crate) const HANDSHAKE_TIMEOUT_S: u32 = 60;
    /// Seconds for all of one where the time begins anew with whatever comes (Apache, lighttpd): the longest hello, an
    /// octet every five minutes, would take a year.
    pub(crate) const HANDSHAKE_MOST_S: u32 = 3600;
    /// Extensions of one hello at most; no client has half as many.
    pub(crate) const MAX_EXTENSIONS: usize = 64;
    /// Tickets of one hello that are looked at; clients offer one.
    pub(crate) const MAX_OFFERED: usize = 8;
    /// Octets of a request in clear to a server that speaks TLS only; more is not waited for.
    pub(crate) const MAX_CLEAR_REQUEST: usize = 8 * 1024;
    /// Octets that are told of a server's name: DNS has no longer ones.
    pub(crate) const MAX_TOLD: usize = 255;
    /// Protocols of ALPN that are told of; no client offers as many.
    pub(crate) const MAX_PROTOCOLS: usize = 16;
    /// Certificates that are kept, of all decoys, some KiB each; the one used longest ago goes first.
    pub(crate) const MAX_CERTIFICATES: usize = 1024;
    /// Sessions that are kept, of all decoys; the oldest goes first. Apache's cache of 512,000 octets holds some 2,000.
    pub(crate) const MAX_SESSIONS: usize = 2048;
}

/// SSH. What OpenSSH fixes stands where it is answered, in `ssh`.
pub(crate) mod ssh {
    /// Decoys, sources and penalties at the doors, each at most: as many sources as OpenSSH remembers penalties of. Those
    /// that hold nothing any more go first; if all hold something, a newcomer is let in and not counted.
    pub(crate) const MAX_ENTRIES: usize = 65_536;
    /// Octets of the four lists of HASSH that are kept as evidence; every known client stays below.
    pub(crate) const MAX_ALGORITHMS: usize = 4096;
    /// Octets of a key's kind that are kept; the longest name that is registered has 42.
    pub(crate) const MAX_KIND: usize = 64;
    /// Messages that wait for the end of a key exchange at most. The server asks for new keys only when it has much to
    /// say, and channels hold back what their windows have no room for.
    pub(crate) const MAX_HELD: usize = 64;
    /// Octets of output that wait for the client's window; beyond it a session reads no more of its input.
    pub(crate) const MAX_OUTPUT: usize = 64 * 1024;
    /// Octets of a host's name that are kept of a request to forward (RFC 1035 §2.3.4).
    pub(crate) const MAX_HOST: usize = 255;
    /// Seconds until a client that has not logged in is cut off, if the product does not say: OpenSSH's `LoginGraceTime`.
    pub(crate) const LOGIN_GRACE_S: u32 = 120;
    /// Failed logins until the connection is closed, if the product does not say: OpenSSH's `MaxAuthTries`.
    pub(crate) const MAX_AUTH_TRIES: u32 = 6;
}

/// Files of planted accounts, by scp and SFTP.
pub(crate) mod files {
    /// Octets of a path that are kept (PATH_MAX).
    pub(crate) const MAX_PATH: usize = 4096;
    /// Octets of a header of scp; a name has 255 at most.
    pub(crate) const MAX_HEADER: usize = 1024;
    /// Files and folders that are open at the same time.
    pub(crate) const MAX_OPEN: usize = 64;
    /// Octets of a file that are sent in one answer.
    pub(crate) const MAX_READ: usize = 32 * 1024;
}

/// The shell behind a planted account, and the terminal of either inside.
pub(crate) mod shell {
    /// Octets of a line that are read: what a terminal of Linux passes on at a time (N_TTY_BUF_SIZE).
    pub(crate) const MAX_LINE: usize = 4095;
    /// Octets that wait for a program that does not read: a pipe of Linux holds as many. A terminal holds a line.
    pub(crate) const MAX_PIPED: usize = 64 * 1024;
    /// Lines of one session; whoever types more is a program in a loop, and its connection ends as at a time limit.
    pub(crate) const MAX_LINES: u32 = 4096;
    /// Octets that one line may write; real tools write more only of files that are not here.
    pub(crate) const MAX_OUTPUT: usize = 256 * 1024;
    /// Octets of lines kept for `history`: some hundreds of them.
    pub(crate) const MAX_HISTORY: usize = 32 * 1024;
    /// Commands, substitutions and parentheses within each other: each is a call within a call.
    pub(crate) const MAX_DEPTH: u8 = 8;
    /// Commands of one line; real lines of intruders have some tens.
    pub(crate) const MAX_COMMANDS: usize = 128;
    /// Commands that one line runs, each turn of a loop anew: a few for each address of a network. What runs more is
    /// taken for endless, and goes on until it is interrupted.
    pub(crate) const MAX_RUNS: u32 = 2048;
    /// Commands of a line that are run in no time. Each further one takes as long as starting a program does, so that
    /// nobody keeps a worker busy whatever he types.
    pub(crate) const FREE_RUNS: u32 = 16;
    /// Octets that are read or written in the time of one of them.
    pub(crate) const RUN_OCTETS: usize = 4096;
    /// That time, in nanoseconds.
    pub(crate) const RUN_NANOS: u64 = 500_000;
    /// Octets and quoted pieces of all words that braces become on their way.
    pub(crate) const MAX_BRACED: usize = 16 * 1024;
    /// Words of one command after expansion: a pattern in a line makes some hundreds.
    pub(crate) const MAX_WORDS: usize = 1024;
    /// Variables of a session: a script sets some tens.
    pub(crate) const MAX_VARIABLES: usize = 128;
    /// Octets of a variable: a line's.
    pub(crate) const MAX_VARIABLE: usize = 4096;
    /// Files that those who were let in may make or change on one decoy: enough for scripts and their output.
    pub(crate) const MAX_OWN_FILES: usize = 64;
    /// Octets of those files in all.
    pub(crate) const MAX_OWN_OCTETS: usize = 128 * 1024;
    /// Decoys on which somebody's files are kept at a time; there are planted accounts on some of them.
    pub(crate) const MAX_DISKS: usize = 64;
    /// Octets that are read of a device that has no end.
    pub(crate) const MAX_DEVICE: usize = 64 * 1024;
    /// Links that are followed in one path (Linux follows 40), so that a circle of them ends.
    pub(crate) const MAX_LINKS: usize = 8;
    /// Octets of a block of `dd`: as much as its buffer is worth anywhere.
    pub(crate) const MAX_BLOCK: usize = 64 * 1024;
    /// Octets of a pattern times those of a text that it is held to: names and lines are far below.
    pub(crate) const MAX_FITTING: usize = 64 * 1024;
    /// The same times the places where a text is cut to fit it.
    pub(crate) const MAX_CUTTING: usize = 64 * 1024;
    /// Paths that a pattern becomes: as much as one looks at.
    pub(crate) const MAX_MATCHES: usize = 512;
    /// Files that a walk through the tree (`find`, `ls -R`) tells of: as much as one looks at.
    pub(crate) const MAX_FOUND: usize = 2048;
    /// Steps of the program that a regular expression becomes; those that people type have some tens.
    pub(crate) const MAX_REGEX_STEPS: usize = 2048;
    /// Groups of a regular expression within each other: each is a call within a call.
    pub(crate) const MAX_REGEX_NESTING: usize = 32;
    /// How often `{n}` of a regular expression repeats: GNU's RE_DUP_MAX.
    pub(crate) const MAX_REGEX_REPEAT: usize = 0x7fff;
    /// Steps that the programs of one line may take in looking for regular expressions: some tens of milliseconds, and
    /// enough for a dozen of the largest outputs. Then nothing fits any more.
    pub(crate) const MAX_REGEX_WORK: u32 = 4_000_000;
    /// Steps of all `sed` and `awk` of one line, some tens of milliseconds: a script of theirs looks at each line a few
    /// times, and one that never ends must. What is written by then is all there is.
    pub(crate) const MAX_SCRIPT_STEPS: u32 = 200_000;
    /// Parts of an expression of `awk` or `expr`, or blocks, within each other: each is a call within a call.
    pub(crate) const MAX_SCRIPT_NESTING: usize = 12;
    /// Operators in one statement of `awk`, which nest as well.
    pub(crate) const MAX_SCRIPT_OPERATORS: usize = 200;
    /// Octets of one text that `awk`, `sed` or `printf` puts together.
    pub(crate) const MAX_SCRIPT_TEXT: usize = 64 * 1024;
    /// Fields of one record of `awk`: a line that a terminal takes has fewer.
    pub(crate) const MAX_SCRIPT_FIELDS: usize = 4096;
    /// Files that a text program reads together: more are no work for a shell that is looked around in.
    pub(crate) const MAX_TEXTS: usize = 64;
}

/// The command line of a device behind a planted account.
pub(crate) mod console {
    /// Words of a line that are looked at; no command has as many.
    pub(crate) const MAX_WORDS: usize = 64;
    /// Rows that one part of a text makes: ports of a large switch.
    pub(crate) const MAX_ROWS: u32 = 128;
    /// Characters that one placeholder draws or is padded to.
    pub(crate) const MAX_LETTERS: usize = 128;
}

#[cfg(test)]
mod tests;
