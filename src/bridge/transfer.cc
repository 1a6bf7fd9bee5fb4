#include "bridge/transfer.h"

#include <boost/json.hpp>

namespace crosspoint::bridge {
std::string progressMessage(std::string_view state, int sipStatus, std::string_view reason, std::string_view dialog,
                            std::string_view address) {
  namespace json = boost::json;
  json::object message;
  message["state"] = json::string(state.data(), state.size());
  if (sipStatus != 0) message["sipStatus"] = sipStatus;
  if (!reason.empty()) message["reason"] = json::string(reason.data(), reason.size());
  if (!dialog.empty()) message["dialog"] = json::string(dialog.data(), dialog.size());
  if (!address.empty()) message["address"] = json::string(address.data(), address.size());
  return "PROGRESS " + json::serialize(message);
}

}  // namespace crosspoint::bridge
