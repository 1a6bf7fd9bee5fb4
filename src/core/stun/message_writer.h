// Builds one STUN message (RFC 8489 §5) in a fixed buffer.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/address.h"
#include "base/bytes.h"
#include "core/stun/types.h"

namespace crosspoint::stun {

// Attributes appear in the order of the calls; addMessageIntegrity() and then addFingerprint() come last.
//
//     MessageBuffer buffer;
//     MessageWriter writer(buffer.data, Class::Request, Method::Binding, id);
//     writer.addText(AttributeType::Username, "theirs:ours");
//     writer.addMessageIntegrity(asBytes(password));
//     writer.addFingerprint();
//     buffer.size = writer.finish().size();
class MessageWriter {
 public:
  MessageWriter(MutableBytes buffer, Class messageClass, Method method, const TransactionId& id);

  void addText(AttributeType type, std::string_view value);
  void addUsername(std::string_view first, std::string_view second);  // "first:second", RFC 8445 §7.2.2
  void addNumber(AttributeType type, std::uint32_t value);
  void addNumber(AttributeType type, std::uint64_t value);
  void addFlag(AttributeType type);
  void addXorMappedAddress(const SocketAddress& address);
  void addError(ErrorCode code, std::string_view reason);
  void addUnknownAttributes(std::span<const std::uint16_t> types);
  void addMessageIntegrity(Bytes key);
  void addFingerprint();

  // The whole message; empty if it did not fit into the buffer.
  Bytes finish() const { return writer_.failed() ? Bytes() : writer_.written(); }

 private:
  void begin(AttributeType type, std::size_t valueBytes);
  void end();                             // pads to four bytes and brings the header's length up to date
  void setLength(std::size_t following);  // as if `following` more bytes came

  MutableBytes buffer_;
  TransactionId id_;
  ByteWriter writer_;
};

}  // namespace crosspoint::stun
