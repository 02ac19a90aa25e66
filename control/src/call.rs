//! Calls, and what is wrong with them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::interface::{CloseParameters, INTERFACE};

/// The interface that every Varlink service has.
const SERVICE: &str = "org.varlink.service";

/// A message of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The method with its interface.
    pub method: String,
    /// Absent means none.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// Whether the client waits for several answers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Whether the client wants no answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oneway: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Who this is.
    GetInfo,
    /// The description of an interface.
    GetInterfaceDescription(String),
    /// The state of the daemon.
    Status,
    /// All open doors.
    List,
    /// Close doors.
    Close(CloseParameters),
    /// Read the configuration again.
    Reload,
    /// Removes the guard.
    Unguard,
    /// The latest lines about a client.
    Explain(String),
    /// How far clients have come.
    Attempts,
    /// Lines from now on.
    Events,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such interface.
    InterfaceNotFound(String),
    /// There is no such method.
    MethodNotFound(String),
    /// A parameter is missing, unknown or of another type; its name, if that is known.
    InvalidParameter(String),
    /// The method gives several answers, and the client wants one.
    ExpectedMore,
    /// The caller may only ask.
    NotAllowed,
    /// The daemon is in a state in which that is not possible.
    NotNow(String),
}

impl Fault {
    /// Returns the name of the error, and what it is about.
    pub(crate) fn parts(&self) -> (&'static str, Value) {
        match self {
            Self::InterfaceNotFound(interface) => {
                ("org.varlink.service.InterfaceNotFound", json!({ "interface": interface }))
            }
            Self::MethodNotFound(method) => {
                ("org.varlink.service.MethodNotFound", json!({ "method": method }))
            }
            Self::InvalidParameter(parameter) => {
                ("org.varlink.service.InvalidParameter", json!({ "parameter": parameter }))
            }
            Self::ExpectedMore => ("org.varlink.service.ExpectedMore", json!({})),
            Self::NotAllowed => ("org.knockd.Control.NotAllowed", json!({})),
            Self::NotNow(state) => ("org.knockd.Control.NotNow", json!({ "state": state })),
        }
    }
}

impl Call {
    /// Makes a call of a method of this interface.
    #[must_use]
    pub fn new(method: &str, parameters: Map<String, Value>) -> Self {
        Self { method: format!("{INTERFACE}.{method}"), parameters, more: false, oneway: false }
    }

    /// Parses a message; `None` if it is no call at all.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok()
    }

    /// Returns what is asked for.
    ///
    /// # Errors
    /// Why the call is refused, whoever makes it.
    pub fn method(&self) -> Result<Method, Fault> {
        let (interface, name) = self.method.rsplit_once('.').unwrap_or(("", &self.method));
        if ![SERVICE, INTERFACE].contains(&interface) {
            return Err(Fault::InterfaceNotFound(interface.to_owned()));
        }
        let of_service = interface == SERVICE;
        let method = match (of_service, name) {
            (true, "GetInfo") => Method::GetInfo,
            (true, "GetInterfaceDescription") => {
                return Ok(Method::GetInterfaceDescription(self.text("interface")?));
            }
            (false, "Explain") => return Ok(Method::Explain(self.text("client")?)),
            (false, "Close") => return Ok(Method::Close(self.close()?)),
            (false, "Status") => Method::Status,
            (false, "List") => Method::List,
            (false, "Attempts") => Method::Attempts,
            (false, "Reload") => Method::Reload,
            (false, "Unguard") => Method::Unguard,
            (false, "Events") if !self.more => return Err(Fault::ExpectedMore),
            (false, "Events") => Method::Events,
            _ => return Err(Fault::MethodNotFound(self.method.clone())),
        };
        match self.parameters.keys().next() {
            Some(unknown) => Err(Fault::InvalidParameter(unknown.clone())),
            None => Ok(method),
        }
    }

    /// Returns the one parameter, which is a text.
    fn text(&self, name: &str) -> Result<String, Fault> {
        if let Some(unknown) = self.parameters.keys().find(|key| *key != name) {
            return Err(Fault::InvalidParameter(unknown.clone()));
        }
        let text = self.parameters.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| Fault::InvalidParameter(name.to_owned()))
    }

    /// Absent and null both mean any.
    fn close(&self) -> Result<CloseParameters, Fault> {
        let mut close = CloseParameters::default();
        for (name, value) in &self.parameters {
            let place = match name.as_str() {
                "client" => &mut close.client,
                "door" => &mut close.door,
                _ => return Err(Fault::InvalidParameter(name.clone())),
            };
            *place = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(Fault::InvalidParameter(name.clone()));
                }
            };
        }
        Ok(close)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn method(text: &str) -> Result<Method, Fault> {
        Call::parse(text.as_bytes()).unwrap().method()
    }

    #[test]
    fn every_method_is_understood() {
        let of = |name: &str, rest: &str| method(&format!(r#"{{"method":"{name}"{rest}}}"#));
        assert_eq!(of("org.varlink.service.GetInfo", ""), Ok(Method::GetInfo));
        let described =
            of("org.varlink.service.GetInterfaceDescription", r#","parameters":{"interface":"x"}"#);
        assert_eq!(described, Ok(Method::GetInterfaceDescription("x".to_owned())));
        assert_eq!(of("org.knockd.Control.Status", r#","parameters":{}"#), Ok(Method::Status));
        assert_eq!(of("org.knockd.Control.List", ""), Ok(Method::List));
        assert_eq!(of("org.knockd.Control.Attempts", ""), Ok(Method::Attempts));
        assert_eq!(of("org.knockd.Control.Reload", ""), Ok(Method::Reload));
        assert_eq!(of("org.knockd.Control.Unguard", ""), Ok(Method::Unguard));
        assert_eq!(of("org.knockd.Control.Events", r#","more":true"#), Ok(Method::Events));
        let close = of("org.knockd.Control.Close", r#","parameters":{"client":"::1","door":null}"#);
        let expected = CloseParameters { client: Some("::1".to_owned()), door: None };
        assert_eq!(close, Ok(Method::Close(expected)));
        let explain = of("org.knockd.Control.Explain", r#","parameters":{"client":"::1"}"#);
        assert_eq!(explain, Ok(Method::Explain("::1".to_owned())));
    }

    #[test]
    fn a_call_that_is_not_right_says_what_is_wrong() {
        let faults = [
            (r#"{"method":"Status"}"#, Fault::InterfaceNotFound(String::new())),
            (r#"{"method":"a.b.Status"}"#, Fault::InterfaceNotFound("a.b".to_owned())),
            (
                r#"{"method":"org.knockd.Control.GetInfo"}"#,
                Fault::MethodNotFound("org.knockd.Control.GetInfo".to_owned()),
            ),
            (
                r#"{"method":"org.knockd.Control.Status","parameters":{"x":1}}"#,
                Fault::InvalidParameter("x".to_owned()),
            ),
            (
                r#"{"method":"org.knockd.Control.Explain"}"#,
                Fault::InvalidParameter("client".to_owned()),
            ),
            (
                r#"{"method":"org.knockd.Control.Close","parameters":{"clients":"::1"}}"#,
                Fault::InvalidParameter("clients".to_owned()),
            ),
            (
                r#"{"method":"org.knockd.Control.Close","parameters":{"door":7}}"#,
                Fault::InvalidParameter("door".to_owned()),
            ),
            (r#"{"method":"org.knockd.Control.Events"}"#, Fault::ExpectedMore),
        ];
        for (text, fault) in faults {
            assert_eq!(method(text), Err(fault), "{text}");
        }
        for text in
            ["", "7", "{}", r#"{"method":7}"#, r#"{"method":"a.b","parameters":7}"#, "{\"method\":"]
        {
            assert_eq!(Call::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn every_method_is_in_the_description() {
        let described: Vec<&str> = crate::DESCRIPTION
            .lines()
            .filter_map(|line| line.strip_prefix("method ")?.split('(').next())
            .collect();
        assert_eq!(
            described,
            ["Status", "List", "Attempts", "Close", "Reload", "Unguard", "Explain", "Events"]
        );
        for name in described {
            let call = Call { more: true, ..Call::new(name, Map::new()) };
            assert!(!matches!(call.method(), Err(Fault::MethodNotFound(_))), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_message_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Call::parse(&bytes).map(|call| call.method());
        }

        #[test]
        fn a_call_is_parsed_as_it_was_sent(name in "[A-Z][a-z]{0,9}", more: bool, oneway: bool) {
            let call = Call { more, oneway, ..Call::new(&name, Map::new()) };
            let mut bytes = crate::encode(&call);
            prop_assert_eq!(bytes.pop(), Some(0));
            prop_assert_eq!(Call::parse(&bytes), Some(call));
        }
    }
}
