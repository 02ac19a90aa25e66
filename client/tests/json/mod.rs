//! Objects as `docs/knock.schema.json` describes them.

use serde_json::Value;

/// Returns the objects of an output of `--json`, each of which is as the schema says.
pub(crate) fn objects(output: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/knock.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let object = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        let faults: Vec<String> = schema.iter_errors(&object).map(|one| one.to_string()).collect();
        assert!(faults.is_empty(), "{line}: {faults:?}");
        object
    };
    output.lines().map(object).collect()
}

/// Returns the only object of an output.
#[allow(dead_code, reason = "not every test program needs it")]
pub(crate) fn object(output: &str) -> Value {
    let mut objects = objects(output);
    assert_eq!(objects.len(), 1, "{output}");
    objects.remove(0)
}
