//! `android/gradle/libs.versions.toml`, the one list of versions and libraries: Gradle reads it, and so do
//! [`super::maven`], [`super::kit`] and the Maven modules. Only the part of TOML that the file uses is understood.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A library by its coordinates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// As `androidx.core`.
    pub group: String,
    /// As `core-ktx`.
    pub artifact: String,
    /// As `1.18.0`.
    pub version: String,
}

/// What the file says.
#[derive(Debug, Default)]
pub struct Catalogue {
    versions: BTreeMap<String, String>,
    libraries: BTreeMap<String, Library>,
    bundles: BTreeMap<String, Vec<String>>,
    plugins: Vec<String>,
}

impl Catalogue {
    /// Reads the workspace's.
    ///
    /// # Errors
    /// It cannot be read, or refers to what it does not have.
    pub fn read(root: &Path) -> Result<Self, String> {
        let path = root.join("android/gradle/libs.versions.toml");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads it from its text.
    ///
    /// # Errors
    /// As [`Catalogue::read`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut made = Self::default();
        let (mut section, mut bundle) = ("", None::<(String, Vec<String>)>);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((name, mut aliases)) = bundle.take() {
                if line == "]" {
                    made.bundles.insert(name, aliases);
                } else {
                    aliases.push(line.trim_end_matches(',').trim_matches('"').to_owned());
                    bundle = Some((name, aliases));
                }
                continue;
            }
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
                continue;
            }
            let (name, value) = line.split_once(" = ").ok_or_else(|| format!("not understood: {line}"))?;
            let name = name.to_owned();
            match section {
                "versions" => {
                    made.versions.insert(name, value.trim_matches('"').to_owned());
                }
                "libraries" => {
                    let library = made.library_of(value).ok_or_else(|| format!("not understood: {line}"))?;
                    made.libraries.insert(name, library);
                }
                "bundles" => bundle = Some((name, Vec::new())),
                "plugins" => made.plugins.push(name),
                _ => return Err(format!("a section that is not known: {section}")),
            }
        }
        match made.bundles.values().flatten().find(|alias| !made.libraries.contains_key(*alias)) {
            Some(alias) => Err(format!("a bundle names {alias}, and no library is called so")),
            None => Ok(made),
        }
    }

    /// `{ module = "g:a", version.ref = "v" }`.
    fn library_of(&self, value: &str) -> Option<Library> {
        let member = |name: &str| value.split_once(&format!("{name} = \""))?.1.split('"').next();
        let (group, artifact) = member("module")?.split_once(':')?;
        let version = self.versions.get(member("version.ref")?)?.clone();
        Some(Library { group: group.to_owned(), artifact: artifact.to_owned(), version })
    }

    /// The version called `name`.
    ///
    /// # Errors
    /// There is none.
    pub fn version(&self, name: &str) -> Result<&str, String> {
        self.versions.get(name).map(String::as_str).ok_or_else(|| format!("the catalogue has no version {name}"))
    }

    /// The libraries of a bundle.
    ///
    /// # Errors
    /// There is no such bundle.
    pub fn bundle(&self, name: &str) -> Result<Vec<Library>, String> {
        let aliases = self.bundles.get(name).ok_or_else(|| format!("the catalogue has no bundle {name}"))?;
        Ok(aliases.iter().map(|alias| self.libraries[alias].clone()).collect())
    }

    /// The versions as properties for Maven.
    pub fn properties(&self) -> Vec<String> {
        self.versions.iter().map(|(name, version)| format!("-Dv.{name}={version}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Catalogue {
        /// Whether Gradle's `libs.NAME` exists: a library, a version, a bundle or a plugin, with dots for dashes.
        pub fn has(&self, accessor: &str) -> bool {
            let among = |name: &str, mut names: Box<dyn Iterator<Item = &String> + '_>| {
                names.any(|known| known.replace(['-', '_'], ".") == name)
            };
            match accessor.split_once('.') {
                Some(("versions", name)) => among(name, Box::new(self.versions.keys())),
                Some(("bundles", name)) => among(name, Box::new(self.bundles.keys())),
                Some(("plugins", name)) => among(name, Box::new(self.plugins.iter())),
                _ => among(accessor, Box::new(self.libraries.keys())),
            }
        }
    }

    const SMALL: &str = "# one\n[versions]\na-b = \"1.2\"\n[libraries]\nx-y = { module = \"g.h:x\", version.ref = \"a-b\" }\n\
        [bundles]\nall = [\n    \"x-y\",\n]\n[plugins]\np = { id = \"q\", version.ref = \"a-b\" }\n";

    #[test]
    fn what_stands_in_it_is_found_and_nothing_else() {
        let made = Catalogue::parse(SMALL).unwrap();
        let library = Library { group: "g.h".to_owned(), artifact: "x".to_owned(), version: "1.2".to_owned() };
        assert_eq!(made.bundle("all").unwrap(), [library]);
        assert_eq!(made.properties(), ["-Dv.a-b=1.2"]);
        assert!(["x.y", "versions.a.b", "bundles.all", "plugins.p"].iter().all(|name| made.has(name)));
        assert!(["x", "versions.a", "bundles.x.y", "plugins.q"].iter().all(|name| !made.has(name)));
        assert!(made.version("b").is_err() && made.bundle("none").is_err());
    }

    #[test]
    fn a_bundle_or_library_that_refers_to_nothing_is_refused() {
        assert!(Catalogue::parse(&SMALL.replace("    \"x-y\"", "    \"x-z\"")).is_err());
        assert!(Catalogue::parse(&SMALL.replace("ref = \"a-b\" }\n[", "ref = \"c\" }\n[")).is_err());
    }

    /// Android Studio's files cannot be run here: at least they name nothing that is not there.
    #[test]
    fn every_name_in_gradles_files_is_in_the_catalogue() {
        let root = crate::root();
        let made = Catalogue::read(&root).unwrap();
        let mut named = 0;
        for file in ["build.gradle.kts", "app/build.gradle.kts", "shell/build.gradle.kts", "bindings/build.gradle.kts"]
        {
            let text = fs::read_to_string(root.join("android").join(file)).unwrap();
            for name in accessors(&text) {
                assert!(made.has(&name), "{file} names libs.{name}");
                named += 1;
            }
        }
        assert!(named > 10, "only {named} names were found");
        let wrong = accessors("alias(libs.plugins.nothing)\nimplementation(libs.versions.kotlin.get())");
        assert_eq!(wrong, ["plugins.nothing", "versions.kotlin"]);
        assert!(!made.has(&wrong[0]) && made.has(&wrong[1]));
    }

    /// What follows `libs.`, without the call of Gradle's at its end.
    fn accessors(text: &str) -> Vec<String> {
        let name = |rest: &str| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
            rest[..end].trim_end_matches(".get").trim_end_matches(".asProvider").trim_end_matches('.').to_owned()
        };
        text.split("libs.").skip(1).map(name).filter(|name| !name.starts_with("versions.toml")).collect()
    }
}
