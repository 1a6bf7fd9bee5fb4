// Every key that a configuration may have: where it goes, of which type and range. The reader and its suggestions go by
// it.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "gateway/configuration.h"

namespace crosspoint::gateway {

// What a TOML file can say about a key, without TOML's own types.
using Value = std::variant<std::string, std::int64_t, bool, std::vector<std::string>>;

struct Key {
  std::string_view section, name;
  // Stores the value, or says what is expected instead ("a port number, 0 to 65535").
  std::function<std::optional<std::string>(Configuration&, const Value&)> store;
};

const std::vector<Key>& schema();

// What fits which key, once each of them is well-formed by itself. `line` gives a key's line, 0 if it was not stated.
Problems contradictions(const Configuration& configuration, const std::string& file,
                        const std::function<unsigned(std::string_view section, std::string_view key)>& line);

// The name among `known` that `name` was probably meant to be; empty if none is near.
std::string nearest(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace crosspoint::gateway
