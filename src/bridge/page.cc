#include "bridge/page.h"

namespace crosspoint::bridge {

Features Features::parse(std::string_view list) {
  Features features;
  while (!list.empty()) {
    const auto end = list.find(',');
    const auto word = list.substr(0, end);
    if (word == "progress") features.progress = true;
    if (word == "provisional") features.provisional = true;
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
  }
  return features;
}

}  // namespace crosspoint::bridge
