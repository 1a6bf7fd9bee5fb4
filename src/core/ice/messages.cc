#include "core/ice/messages.h"

#include "core/stun/message_writer.h"

namespace crosspoint::ice {
namespace {

std::string_view reasonOf(stun::ErrorCode code) {
  switch (code) {
    case stun::ErrorCode::BadRequest:
      return "Bad Request";
    case stun::ErrorCode::Unauthenticated:
      return "Unauthenticated";
    case stun::ErrorCode::UnknownAttribute:
      return "Unknown Attribute";
    case stun::ErrorCode::RoleConflict:
      return "Role Conflict";
    case stun::ErrorCode::ServerError:
      break;
  }
  return "Server Error";
}

void finish(stun::MessageBuffer& into, stun::MessageWriter& writer) {
  writer.addFingerprint();
  into.size = static_cast<std::uint16_t>(writer.finish().size());
}

}  // namespace

void writeCheck(stun::MessageBuffer& into, const stun::TransactionId& id, const IceCredentials& local,
                const IceCredentials& remote, const CheckContent& content) {
  stun::MessageWriter writer(into.data, stun::Class::Request, stun::Method::Binding, id);
  writer.addUsername(remote.ufrag, local.ufrag);
  writer.addNumber(stun::AttributeType::Priority, content.priority);
  writer.addNumber(
      content.role == Role::Controlling ? stun::AttributeType::IceControlling : stun::AttributeType::IceControlled,
      content.tieBreaker);
  if (content.useCandidate) writer.addFlag(stun::AttributeType::UseCandidate);
  writer.addMessageIntegrity(asBytes(remote.password));
  finish(into, writer);
}

void writeGatherRequest(stun::MessageBuffer& into, const stun::TransactionId& id) {
  stun::MessageWriter writer(into.data, stun::Class::Request, stun::Method::Binding, id);
  finish(into, writer);
}

void writeSuccess(stun::MessageBuffer& into, const stun::TransactionId& id, const SocketAddress& mapped,
                  std::string_view password) {
  stun::MessageWriter writer(into.data, stun::Class::Success, stun::Method::Binding, id);
  writer.addXorMappedAddress(mapped);
  writer.addMessageIntegrity(asBytes(password));
  finish(into, writer);
}

void writeError(stun::MessageBuffer& into, const stun::MessageView& request, stun::ErrorCode code,
                std::optional<std::string_view> password) {
  stun::MessageWriter writer(into.data, stun::Class::Error, request.method(), request.transactionId());
  writer.addError(code, reasonOf(code));
  if (code == stun::ErrorCode::UnknownAttribute) writer.addUnknownAttributes(request.unknownRequired());
  if (password) writer.addMessageIntegrity(asBytes(*password));
  finish(into, writer);
}

stun::TransactionId makeTransactionId(std::uint32_t prefix, Random& random) {
  stun::TransactionId id;
  storeBigEndian(id.data(), prefix);
  random.fill(MutableBytes(id).subspan(sizeof prefix));
  return id;
}

}  // namespace crosspoint::ice
