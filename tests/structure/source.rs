//! What the files of a crate say: their modules, what each defines, brings in and names. Comments and whatever is
//! there for tests only do not count.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, Path, UseTree, VisRestricted,
    visit::{self, Visit},
};

/// A module by the names that lead to it; none for the crate itself.
pub type ModulePath = Vec<String>;

/// One module, in a file of its own or within that of another.
#[derive(Debug, Default)]
pub struct Module {
    /// The file, from `src` on.
    pub file: String,
    /// The names that it defines.
    pub items: BTreeSet<String>,
    /// What it brings in.
    pub imports: Vec<Import>,
    /// What it names on the spot.
    pub paths: Vec<Vec<String>>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub struct Import {
    /// The name here; none where it is everything.
    pub name: Option<String>,
    /// What it stands for.
    pub path: Vec<String>,
}

/// The modules of a crate, found from `lib.rs` on; `files` holds the texts of its sources.
pub fn modules(files: &BTreeMap<String, String>) -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    let mut waiting = vec![(Vec::new(), "lib.rs".to_owned())];
    while let Some((path, file)) = waiting.pop() {
        let parsed = syn::parse_file(&files[&file]).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Reader { modules: &mut modules, path, file, children: Vec::new() };
        reader.begin();
        reader.visit_file(&parsed);
        for child in reader.children {
            let path = child.join("/");
            let candidates = [format!("{path}.rs"), format!("{path}/mod.rs")];
            let file = candidates.into_iter().find(|file| files.contains_key(file));
            waiting.push((child, file.unwrap_or_else(|| panic!("no file holds the module {path}"))));
        }
    }
    modules
}

/// Reads one file.
struct Reader<'a> {
    modules: &'a mut BTreeMap<ModulePath, Module>,
    path: ModulePath,
    file: String,
    /// The modules that are declared here and have files of their own.
    children: Vec<ModulePath>,
}

impl Reader<'_> {
    fn begin(&mut self) {
        let module = Module { file: self.file.clone(), ..Module::default() };
        self.modules.insert(self.path.clone(), module);
    }

    fn module(&mut self) -> &mut Module {
        self.modules.entry(self.path.clone()).or_default()
    }

    fn name(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.module().paths.push(path);
        }
    }

    fn bring_in(&mut self, before: &[String], tree: &UseTree) {
        let with = |last: &syn::Ident| {
            let last = (last != "self").then(|| last.to_string());
            before.iter().cloned().chain(last).collect::<Vec<_>>()
        };
        match tree {
            UseTree::Path(path) => self.bring_in(&with(&path.ident), &path.tree),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.bring_in(before, tree)),
            UseTree::Glob(_) => self.module().imports.push(Import { name: None, path: before.to_vec() }),
            UseTree::Name(name) => {
                let path = with(&name.ident);
                self.module().imports.push(Import { name: path.last().cloned(), path });
            }
            UseTree::Rename(rename) => {
                let import = Import { name: Some(rename.rename.to_string()), path: with(&rename.ident) };
                self.module().imports.push(import);
            }
        }
    }

    /// The paths in the arguments of a macro or an attribute, which no parser knows; serde's stand in texts.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_colon =
            |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
        let is_link = |at: usize| is_colon(at) && is_colon(at + 1);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) if at < 2 || !is_link(at - 2) => {
                    let mut path = vec![first.to_string()];
                    while is_link(at + 1)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    self.name(path);
                }
                TokenTree::Literal(literal) => {
                    let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                    if let Some(path) = text.ok().and_then(|text| text.parse::<Path>().ok()) {
                        self.name(segments(&path));
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = head(item);
        if is_for_tests(attributes) {
            return;
        }
        if let Some(name) = name
            && !matches!(item, Item::Mod(_))
        {
            self.module().items.insert(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.path.push(item.ident.to_string());
        if let Some((_, items)) = &item.content {
            self.begin();
            for item in items {
                self.visit_item(item);
            }
        } else {
            self.children.push(self.path.clone());
        }
        self.path.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.bring_in(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.name(segments(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invoked: &'ast Macro) {
        self.visit_path(&invoked.path);
        self.tokens(invoked.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    /// Who may see something is no use of it.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

fn segments(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// The attributes of an item, and the name that it gives to something.
fn head(item: &Item) -> (&[Attribute], Option<String>) {
    let (attributes, name) = match item {
        Item::Const(item) => (&item.attrs, Some(&item.ident)),
        Item::Enum(item) => (&item.attrs, Some(&item.ident)),
        Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
        Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
        Item::Mod(item) => (&item.attrs, Some(&item.ident)),
        Item::Static(item) => (&item.attrs, Some(&item.ident)),
        Item::Struct(item) => (&item.attrs, Some(&item.ident)),
        Item::Trait(item) => (&item.attrs, Some(&item.ident)),
        Item::TraitAlias(item) => (&item.attrs, Some(&item.ident)),
        Item::Type(item) => (&item.attrs, Some(&item.ident)),
        Item::Union(item) => (&item.attrs, Some(&item.ident)),
        Item::ExternCrate(item) => (&item.attrs, None),
        Item::ForeignMod(item) => (&item.attrs, None),
        Item::Impl(item) => (&item.attrs, None),
        Item::Use(item) => (&item.attrs, None),
        _ => return (&[], None),
    };
    (attributes, name.map(ToString::to_string))
}
