//! The `--json` envelope: every object begins with `"v":1`. The shapes are in docs/json.md and are
//! the types of `admin::views`.

use serde::Serialize;

use crate::exit::Failure;

/// The version of all `--json` shapes. Adding a field keeps it; anything else raises it.
pub const VERSION: u8 = 1;

#[derive(Serialize)]
struct Versioned<'a, T: Serialize> {
    v: u8,
    #[serde(flatten)]
    body: &'a T,
}

/// One object on one line, `"v"` first. `body` must be a struct or a map.
pub fn line<T: Serialize>(body: &T) -> Result<String, Failure> {
    serde_json::to_string(&Versioned { v: VERSION, body })
        .map_err(|error| Failure::failed(format!("cannot write the answer as JSON: {error}")))
}

/// One object with one member: `{"v":1,"devices":[…]}`.
pub fn member<T: Serialize>(name: &str, value: &T) -> Result<String, Failure> {
    line(&std::collections::BTreeMap::from([(name, value)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_begins_with_its_version() {
        assert_eq!(member("devices", &["a"]).unwrap(), r#"{"v":1,"devices":["a"]}"#);
    }
}
