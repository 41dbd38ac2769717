//! The surface as a text: every type, call and trait with all that a shell can see of them, one thing to a line,
//! in an order that does not depend on where it stands in the sources. Comments are no part of it.

use std::collections::{BTreeMap, BTreeSet};

use uniffi_meta::{
    ConstructorMetadata, DefaultValueMetadata, FieldMetadata, FnParamMetadata, LiteralMetadata, Metadata, ObjectImpl,
    TraitKind, Type, VariantMetadata,
};

const HEAD: &str = "\
# What Kotlin and Swift see of the core. Made from the built library: cargo xtask api --write
# In a call `?` is an optional value, `[T]` a list; `throws` names the error.
";

/// Lists what a built, unstripped library offers.
pub fn of_library(path: &str) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let all = uniffi_bindgen::macro_metadata::extract_from_bytes(&bytes).map_err(|error| format!("{path}: {error}"))?;
    if all.is_empty() {
        return Err(format!("{path} tells nothing of its surface: was it stripped?"));
    }
    Ok(listing(&all))
}

/// A heading, and its lines in their order.
type Blocks = BTreeMap<(u8, String), Vec<String>>;

fn listing(all: &[Metadata]) -> String {
    let mut blocks = Blocks::new();
    // Calls of a type are sorted by name: where they stand in the sources says nothing. Those of a trait have
    // their places in a table, which matter.
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut asked: BTreeMap<String, BTreeMap<u32, String>> = BTreeMap::new();
    for one in all {
        match one {
            Metadata::Func(call) => {
                let text = signature(call.is_async, "fn", &call.name, &call.inputs, &call.return_type, &call.throws);
                blocks.insert((0, text), Vec::new());
            }
            Metadata::Record(record) => {
                blocks.insert((1, format!("record {}", record.name)), record.fields.iter().map(field).collect());
            }
            Metadata::Enum(one) => {
                let kind = if one.shape.is_error() { "error" } else { "enum" };
                blocks.insert((2, format!("{kind} {}", one.name)), one.variants.iter().map(variant).collect());
            }
            Metadata::CustomType(custom) => {
                blocks.insert((3, format!("type {} = {}", custom.name, name(&custom.builtin))), Vec::new());
            }
            Metadata::Constructor(call) => {
                calls.entry(call.self_name.clone()).or_default().insert(constructor(call));
            }
            Metadata::Method(call) => {
                let text = signature(call.is_async, "fn", &call.name, &call.inputs, &call.return_type, &call.throws);
                calls.entry(call.self_name.clone()).or_default().insert(text);
            }
            Metadata::TraitMethod(call) => {
                let text = signature(call.is_async, "fn", &call.name, &call.inputs, &call.return_type, &call.throws);
                asked.entry(call.trait_name.clone()).or_default().insert(call.index, text);
            }
            Metadata::UniffiTrait(given) => {
                calls.entry(given.self_name().to_owned()).or_default().insert(format!("is {}", given.name()));
            }
            Metadata::ObjectTraitImpl(given) => {
                let (of, what) = (name(&given.ty), name(&given.trait_ty));
                calls.entry(of).or_default().insert(format!("is {what}"));
            }
            Metadata::Object(_) | Metadata::CallbackInterface(_) | Metadata::Namespace(_) | Metadata::UdlFile(_) => {}
        }
    }
    for one in all {
        let (kind, called) = match one {
            Metadata::Object(object) => (object_kind(object.imp), &object.name),
            Metadata::CallbackInterface(callback) => ("callback", &callback.name),
            _ => continue,
        };
        let mut lines: Vec<String> = asked.remove(called).unwrap_or_default().into_values().collect();
        lines.extend(calls.remove(called).unwrap_or_default());
        let place = if kind == "object" { 4 } else { 5 };
        blocks.insert((place, format!("{kind} {called}")), lines);
    }
    // Calls of records and enums, where there are any.
    for (called, lines) in calls {
        blocks.insert((6, format!("calls of {called}")), lines.into_iter().collect());
    }
    text(&blocks)
}

fn text(blocks: &Blocks) -> String {
    let mut text = HEAD.to_owned();
    for (number, ((kind, heading), lines)) in blocks.iter().enumerate() {
        // Functions stand together.
        if number == 0 || *kind != 0 {
            text.push('\n');
        }
        text.push_str(heading);
        text.push('\n');
        lines.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

fn object_kind(imp: ObjectImpl) -> &'static str {
    match imp {
        ObjectImpl::Struct => "object",
        ObjectImpl::Trait(TraitKind::RustOnly) => "trait",
        ObjectImpl::Trait(TraitKind::Both) => "trait for both sides",
        ObjectImpl::Trait(TraitKind::ForeignOnly) => "foreign trait",
    }
}

fn constructor(call: &ConstructorMetadata) -> String {
    signature(call.is_async, "constructor", &call.name, &call.inputs, &None, &call.throws)
}

fn signature(
    is_async: bool,
    kind: &str,
    called: &str,
    inputs: &[FnParamMetadata],
    gives: &Option<Type>,
    throws: &Option<Type>,
) -> String {
    let inputs: Vec<String> =
        inputs.iter().map(|input| format!("{}: {}{}", input.name, name(&input.ty), default(&input.default))).collect();
    let mut text = format!("{}{kind} {called}({})", if is_async { "async " } else { "" }, inputs.join(", "));
    if let Some(gives) = gives {
        text.push_str(&format!(" -> {}", name(gives)));
    }
    if let Some(throws) = throws {
        text.push_str(&format!(" throws {}", name(throws)));
    }
    text
}

fn field(field: &FieldMetadata) -> String {
    // The fields of a variant may have no names.
    let called = if field.name.is_empty() { String::new() } else { format!("{}: ", field.name) };
    format!("{called}{}{}", name(&field.ty), default(&field.default))
}

fn variant(variant: &VariantMetadata) -> String {
    let value = variant.discr.as_ref().map(|value| format!(" = {}", literal(value))).unwrap_or_default();
    if variant.fields.is_empty() {
        return format!("{}{value}", variant.name);
    }
    let fields: Vec<String> = variant.fields.iter().map(field).collect();
    format!("{}{value} {{ {} }}", variant.name, fields.join(", "))
}

fn default(default: &Option<DefaultValueMetadata>) -> String {
    match default {
        None => String::new(),
        Some(DefaultValueMetadata::Default) => " = default".to_owned(),
        Some(DefaultValueMetadata::Literal(value)) => format!(" = {}", literal(value)),
    }
}

fn literal(value: &LiteralMetadata) -> String {
    match value {
        LiteralMetadata::Boolean(value) => value.to_string(),
        LiteralMetadata::String(value) => format!("{value:?}"),
        LiteralMetadata::UInt(value, ..) => value.to_string(),
        LiteralMetadata::Int(value, ..) => value.to_string(),
        LiteralMetadata::Float(value, _) | LiteralMetadata::Enum(value, _) => value.clone(),
        LiteralMetadata::None => "none".to_owned(),
        LiteralMetadata::EmptySequence | LiteralMetadata::EmptyMap | LiteralMetadata::EmptySet => "empty".to_owned(),
        LiteralMetadata::Some { inner } => match inner.as_ref() {
            DefaultValueMetadata::Default => "default".to_owned(),
            DefaultValueMetadata::Literal(value) => literal(value),
        },
    }
}

fn name(of: &Type) -> String {
    match of {
        Type::UInt8 => "u8".to_owned(),
        Type::Int8 => "i8".to_owned(),
        Type::UInt16 => "u16".to_owned(),
        Type::Int16 => "i16".to_owned(),
        Type::UInt32 => "u32".to_owned(),
        Type::Int32 => "i32".to_owned(),
        Type::UInt64 => "u64".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Boolean => "bool".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Timestamp => "timestamp".to_owned(),
        Type::Duration => "duration".to_owned(),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. }
        | Type::Custom { name, .. } => name.clone(),
        Type::Box { inner_type } => name(inner_type),
        Type::Optional { inner_type } => format!("{}?", name(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", name(inner_type)),
        Type::Set { inner_type } => format!("{{{}}}", name(inner_type)),
        Type::Map { key_type, value_type } => format!("{{{}: {}}}", name(key_type), name(value_type)),
    }
}
