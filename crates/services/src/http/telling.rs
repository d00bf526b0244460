//! What is told of a connection: requests, and the secrets that came with them.

use chaff_events::{Detail, Kind, Tool};

use super::{Http, request::Request};
use crate::{
    limits::http::MAX_TOLD,
    message::{request as request_detail, secret_of},
    tool::{tool_of_payload, tool_of_user_agent},
};

impl Http {
    pub(super) fn observe(&mut self, request: &Request, body: &[u8]) {
        let agent = request.agent();
        let tool = tool_of(request);
        let detail = request_detail(&request.method, &request.target, agent, body);
        self.tell(Kind::ServiceRequest, tool, detail);
        for secret in core::mem::take(&mut self.offered) {
            self.outbox.observe(Kind::Credential, tool, secret);
        }
    }

    /// Notes a secret; it is told of after the request that brought it.
    pub(super) fn credential(&mut self, request: &Request, kind: &str, user: &[u8], secret: &[u8], accepted: bool) {
        self.offered.push(secret_of(kind, user, secret, request.agent(), accepted));
    }

    pub(super) fn tell(&mut self, kind: Kind, tool: Option<Tool>, detail: Detail) {
        if self.told < MAX_TOLD {
            self.told += 1;
            self.outbox.observe(kind, tool, detail);
        }
    }
}

fn tool_of(request: &Request) -> Option<Tool> {
    tool_of_payload(&request.line).or_else(|| tool_of_user_agent(request.agent()))
}
