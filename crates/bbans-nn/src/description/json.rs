//! JSON in which no field is there twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A JSON value; an object with two fields of one name is an error, where [`Value`] takes the last.
pub(super) struct Strict(pub Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any).map(Self)
    }
}

/// Checks that no object of a JSON text has two fields of one name.
///
/// # Errors
/// If one has, or it is no JSON.
pub(crate) fn check_unique(text: &str) -> bbans_core::Result<()> {
    let strict: Result<Strict, _> = serde_json::from_str(text);
    strict.map(|_| ()).map_err(|e| {
        bbans_core::Error::model("not JSON whose fields have names of their own").because(e)
    })
}

/// Where two values differ first: fields and numbers of elements, from the outside.
pub(super) fn difference(a: &Value, b: &Value) -> Option<String> {
    let within = |name: &str, inner: String| match inner.as_str() {
        "" => name.to_owned(),
        inner => format!("{name}.{inner}"),
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys());
            let mut each = names.map(|name| match (a.get(name), b.get(name)) {
                (Some(a), Some(b)) => difference(a, b).map(|inner| within(name, inner)),
                _ => Some(name.clone()),
            });
            each.find_map(|found| found)
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut each = a.iter().zip(b).enumerate();
            each.find_map(|(i, (a, b))| difference(a, b).map(|inner| within(&i.to_string(), inner)))
        }
        (Value::Number(a), Value::Number(b)) => {
            let nearest = |n: &serde_json::Number| n.as_f64().map(|v| (v as f32).to_bits());
            (nearest(a) != nearest(b)).then(String::new)
        }
        (a, b) => (a != b).then(String::new),
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(value)) = elements.next_element()? {
            all.push(value);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, Strict(value))) = fields.next_entry::<String, Strict>()? {
            if all.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
            all.insert(name, value);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_found() {
        let of = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|text| serde_json::from_str::<Value>(text).unwrap());
            difference(&a, &b)
        };
        assert_eq!(
            of(r#"{"a": [1, {"b": 2.0}]}"#, r#"{"a": [1, {"b": 2}]}"#),
            None
        );
        let found = of(r#"{"a": [1, {"b": 2}]}"#, r#"{"a": [1, {}]}"#);
        assert_eq!(found.as_deref(), Some("a.1.b"));
        assert_eq!(of(r#"{"a": null}"#, "{}").as_deref(), Some("a"));
    }

    #[test]
    fn equals_json_but_for_duplicates() {
        let text = r#"{"a": [1, -2, 3.5, null, true, "x"], "b": {"a": {}}}"#;
        let Strict(found) = serde_json::from_str(text).unwrap();
        assert_eq!(found, serde_json::from_str::<Value>(text).unwrap());
        for text in [r#"{"a": 1, "a": 1}"#, r#"{"b": [{"a": 1, "a": 2}]}"#] {
            assert!(serde_json::from_str::<Strict>(text).is_err());
        }
    }
}
