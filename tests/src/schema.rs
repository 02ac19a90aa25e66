//! The JSON Schemas of `docs/`, which say what programs may rely on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

/// A schema of `docs/`.
#[derive(Debug)]
pub struct Schema {
    value: Value,
    validator: Validator,
}

impl Schema {
    /// Reads the schema of this name.
    ///
    /// # Panics
    /// If it cannot be read, or is not a schema.
    #[must_use]
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::meta::validate(&value).unwrap();
        let validator = jsonschema::validator_for(&value).unwrap();
        Self { value, validator }
    }

    /// Returns whether an object matches the schema.
    #[must_use]
    pub fn allows(&self, object: &Value) -> bool {
        self.validator.is_valid(object)
    }

    /// Checks an object against the schema.
    ///
    /// # Panics
    /// With every violation of the schema.
    pub fn check(&self, object: &Value) {
        let faults: Vec<String> =
            self.validator.iter_errors(object).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{object}: {faults:?}");
    }

    /// Returns the objects in a text, one per line, and checks each against the schema.
    ///
    /// # Panics
    /// If a line is not an object, or does not match the schema.
    #[must_use]
    pub fn objects(&self, text: &str) -> Vec<Value> {
        let object = |line: &str| {
            let object = serde_json::from_str(line).unwrap();
            self.check(&object);
            object
        };
        text.lines().map(object).collect()
    }

    /// Returns the only object in a text.
    ///
    /// # Panics
    /// As [`Self::objects`], or if there is not exactly one.
    #[must_use]
    pub fn object(&self, text: &str) -> Value {
        let mut objects = self.objects(text);
        assert_eq!(objects.len(), 1, "{text}");
        objects.remove(0)
    }

    /// Returns the names that one of the definitions lists.
    ///
    /// # Panics
    /// If it lists none.
    #[must_use]
    pub fn names(&self, definition: &str) -> BTreeSet<String> {
        let list = self.value["$defs"][definition]["enum"].as_array().unwrap();
        list.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }
}
