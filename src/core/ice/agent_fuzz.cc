// A peer that knows the passwords and does anything: two agents, each step of the input one event between or around
// them.
#include "core/ice/test_world.h"

namespace {

using namespace crosspoint;
using namespace crosspoint::ice;
using namespace crosspoint::ice::test;

// One message with valid integrity and attributes as the input wants them.
void injectSigned(World& world, Node& to, const IceCredentials& theirs, const SocketAddress& from, std::uint8_t flags) {
  stun::MessageBuffer buffer;
  stun::TransactionId id{};
  storeBigEndian(id.data(), to.prefix);
  id[11] = flags;
  const auto& ours = to.agent->localCredentials();
  const bool request = (flags & 1) == 0;
  const auto kind = request ? stun::Class::Request : (flags & 2) != 0 ? stun::Class::Error : stun::Class::Success;
  stun::MessageWriter writer(buffer.data, kind, stun::Method::Binding, id);
  if (request) writer.addUsername(ours.ufrag, theirs.ufrag);
  if (kind == stun::Class::Error) writer.addError(stun::ErrorCode::RoleConflict, "");
  if ((flags & 4) != 0) writer.addNumber(stun::AttributeType::Priority, std::uint32_t{flags} << 20);
  if ((flags & 8) != 0) writer.addFlag(stun::AttributeType::UseCandidate);
  if ((flags & 16) != 0) writer.addNumber(stun::AttributeType::IceControlling, std::uint64_t{flags} << 56);
  if ((flags & 32) != 0) writer.addNumber(stun::AttributeType::IceControlled, std::uint64_t{flags} << 57);
  writer.addMessageIntegrity(asBytes(request ? ours.password : theirs.password));
  world.inject(SocketId{to.prefix - 1}, from, writer.finish());
}

void step(World& world, Node& a, Node& b, std::uint8_t what, std::uint8_t value) {
  Node& node = (what & 0x80) != 0 ? a : b;
  Node& other = (what & 0x80) != 0 ? b : a;
  const SocketAddress address{IpAddress::v4(0xc6336400u + value % 64), static_cast<std::uint16_t>(1 + value / 64)};
  switch (what & 0x0f) {
    case 0:
      return world.run(std::chrono::milliseconds(value));
    case 1:
      return world.run(std::chrono::seconds(value));
    case 2:
      return world.restart(node);
    case 3:
      return world.introduce(node, other);
    case 4:
      return world.tell(node,
                        Candidate{.foundation = std::to_string(value % 4), .priority = value, .address = address});
    case 5:
      return node.agent->endOfRemoteCandidates(world.now());
    case 6:
      return node.agent->setRemoteLite(world.now());
    case 7:
      return node.agent->setRemoteCredentials(world.now(), {std::string(value, 'u'), std::string(value, 'p')});
    case 8:
      world.loss = value / 255.0;
      return;
    case 9:
      node.agent->localDescriptionSent(world.now());
      return;
    case 10:
      node.agent->handleTimeout(world.now() + std::chrono::milliseconds(value));
      return;
    case 11:
      world.sendData(node);
      return;
    default:
      return injectSigned(world, node, node.agent->remoteCredentials().value_or(IceCredentials{"u", "p"}), address,
                          value);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world(size);
  Node& a = world.add({.role = Role::Controlling, .sockets = {"192.0.2.1:1"}});
  Node& b = world.add({.sockets = {"192.0.2.2:2"}});
  for (std::size_t i = 0; i + 1 < size && i < 400; i += 2) step(world, a, b, data[i], data[i + 1]);
  return 0;
}
