#include "gateway/configuration.h"

#include <toml++/toml.h>
#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "core/sip/uri.h"
#include "gateway/schema.h"

namespace crosspoint::gateway {
namespace {

struct Stated {
  Value value;
  std::string file;
  unsigned line = 0;
};
using StatedKeys = std::map<std::pair<std::string, std::string>, Stated>;  // by section and key

std::optional<Value> toValue(const toml::node& node) {
  if (const auto* text = node.as_string()) return Value(text->get());
  if (const auto* integer = node.as_integer()) return Value(integer->get());
  if (const auto* boolean = node.as_boolean()) return Value(boolean->get());
  const auto* array = node.as_array();
  if (!array) return std::nullopt;
  std::vector<std::string> list;
  for (const auto& element : *array) {
    const auto* text = element.as_string();
    if (!text) return std::nullopt;
    list.push_back(text->get());
  }
  return Value(std::move(list));
}

const Key* findKey(std::string_view section, std::string_view name) {
  const auto& keys = schema();
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const Key& key) { return key.section == section && key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

bool isSection(std::string_view name) {
  return std::any_of(schema().begin(), schema().end(), [&](const Key& key) { return key.section == name; });
}

std::string unknownKey(std::string_view section, std::string_view name) {
  std::string message = "[" + std::string(section) + "] has no key \"" + std::string(name) + "\"";
  std::vector<std::string_view> siblings;
  std::string elsewhere;
  for (const Key& key : schema()) {
    if (key.section == section) siblings.push_back(key.name);
    if (key.name == name) elsewhere = key.section;
  }
  if (!elsewhere.empty()) return message + ": it belongs to [" + elsewhere + "]";
  const auto meant = nearest(name, siblings);
  return meant.empty() ? message : message + ": did you mean \"" + meant + "\"?";
}

std::string unknownSection(std::string_view name) {
  std::string message = "there is no section [" + std::string(name) + "]";
  std::vector<std::string_view> sections;
  for (const Key& key : schema()) {
    if (key.name == name)
      return message + ": \"" + std::string(name) + "\" is a key of [" + std::string(key.section) + "]";
    sections.push_back(key.section);
  }
  const auto meant = nearest(name, sections);
  return meant.empty() ? message : message + ": did you mean [" + meant + "]?";
}

std::string trimmed(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

class Reader {
 public:
  // Remembers the keys of one document and says what is no key at all.
  void add(const toml::table& document, const std::string& file) {
    for (const auto& [name, node] : document) {
      const auto* table = node.as_table();
      if (!isSection(name.str()) || !table) {
        say(file, node,
            table || !isSection(name.str()) ? unknownSection(name.str())
                                            : "[" + std::string(name.str()) + "] is a section, not a key");
        continue;
      }
      for (const auto& [key, value] : *table) addKey(std::string(name.str()), std::string(key.str()), value, file);
    }
  }

  void addText(std::string_view text, const std::string& file) {
    try {
      add(toml::parse(text, std::string_view(file)), file);
    } catch (const toml::parse_error& error) {
      problems.push_back({.file = file,
                          .line = static_cast<unsigned>(error.source().begin.line),
                          .message = "this is not TOML: " + std::string(error.description())});
    }
  }

  // "section.key=value"; a value that is no TOML is text.
  void addOverride(const std::string& text) {
    const auto equal = text.find('=');
    const auto dot = text.find('.');
    if (equal == std::string::npos || dot == std::string::npos || dot > equal) {
      problems.push_back({.file = "--set", .message = "\"" + text + "\" is not SECTION.KEY=VALUE"});
      return;
    }
    try {
      add(toml::parse(text), "--set");
    } catch (const toml::parse_error&) {
      toml::table section;
      section.insert_or_assign(trimmed(text.substr(dot + 1, equal - dot - 1)), trimmed(text.substr(equal + 1)));
      toml::table document;
      document.insert_or_assign(trimmed(text.substr(0, dot)), std::move(section));
      add(document, "--set");
    }
  }

  std::expected<Configuration, Problems> finish(const std::string& file) {
    Configuration configuration;
    for (const auto& [name, stated] : stated_) {
      const auto expected = findKey(name.first, name.second)->store(configuration, stated.value);
      if (expected) {
        problems.push_back({.file = stated.file,
                            .line = stated.line,
                            .message = "[" + name.first + "] " + name.second + " must be " + *expected});
      }
    }
    if (problems.empty()) {
      problems = contradictions(configuration, file, [&](std::string_view section, std::string_view key) {
        const auto found = stated_.find({std::string(section), std::string(key)});
        return found == stated_.end() ? 0U : found->second.line;
      });
    }
    if (problems.empty()) return configuration;
    std::stable_sort(problems.begin(), problems.end(),
                     [](const Problem& a, const Problem& b) { return a.line < b.line; });
    return std::unexpected(std::move(problems));
  }

  Problems problems;

 private:
  void say(const std::string& file, const toml::node& node, std::string message) {
    problems.push_back(
        {.file = file, .line = static_cast<unsigned>(node.source().begin.line), .message = std::move(message)});
  }

  void addKey(const std::string& section, const std::string& name, const toml::node& node, const std::string& file) {
    if (!findKey(section, name)) return say(file, node, unknownKey(section, name));
    auto value = toValue(node);
    if (!value) return say(file, node, "[" + section + "] " + name + " has a value of the wrong type");
    stated_.insert_or_assign(
        {section, name},
        Stated{.value = std::move(*value), .file = file, .line = static_cast<unsigned>(node.source().begin.line)});
  }

  StatedKeys stated_;
};

}  // namespace

bool Configuration::Sip::tls() const {
  const auto uri = sip::Uri::parse(firstHop());
  return uri && (uri->scheme == "sips" || uri->transport() == "tls");
}

std::string Problem::toString() const {
  std::string text = file;
  if (line > 0) text += ":" + std::to_string(line);
  return text.empty() ? message : text + ": " + message;
}

std::expected<Configuration, Problems> parseConfiguration(std::string_view text, const std::string& file) {
  Reader reader;
  reader.addText(text, file);
  return reader.finish(file);
}

std::expected<Configuration, Problems> readConfiguration(const std::string& file,
                                                         const std::vector<std::string>& overrides) {
  Reader reader;
  if (!file.empty()) {
    std::ifstream stream(file);
    std::stringstream content;
    if (!stream || !(content << stream.rdbuf())) {
      return std::unexpected(Problems{{.file = file, .message = "the file cannot be read"}});
    }
    reader.addText(content.str(), file);
  }
  for (const auto& one : overrides) reader.addOverride(one);
  return reader.finish(file);
}

}  // namespace crosspoint::gateway
