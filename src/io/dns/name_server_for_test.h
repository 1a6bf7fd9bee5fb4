// A small name server on a loopback socket: answers SRV and A questions from a table, everything else with "no such
// name".
#pragma once
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "io/dns/resolver.h"
#include "io/loop/file_descriptor.h"
#include "io/loop/socket_address.h"

namespace crosspoint::dns::test {

class NameServer {
 public:
  NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  SocketAddress address() const { return loop::boundAddress(socket_.get()).value(); }

  void setServices(const std::string& name, std::vector<Service> services) {
    std::lock_guard lock(mutex_);
    services_[name] = std::move(services);
  }
  void setAddress(const std::string& name, const IpAddress& ip) {
    std::lock_guard lock(mutex_);
    addresses_[name] = ip;
  }
  // Does not answer any more.
  void fallSilent() { silent_ = true; }
  unsigned questions() const { return questions_; }

 private:
  static constexpr std::uint16_t kA = 1, kSrv = 33;

  void run(const std::stop_token& stop) {
    std::uint8_t buffer[1500];
    while (!stop.stop_requested()) {
      pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 20) <= 0) continue;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const auto got = ::recvfrom(socket_.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17) continue;
      ++questions_;
      if (silent_) continue;
      const auto reply = answer(std::vector<std::uint8_t>(buffer, buffer + got));
      ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), size);
    }
  }

  static void put16(std::vector<std::uint8_t>& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
  }
  static void putName(std::vector<std::uint8_t>& out, const std::string& name) {
    for (std::size_t from = 0; from < name.size();) {
      const auto dot = std::min(name.find('.', from), name.size());
      out.push_back(static_cast<std::uint8_t>(dot - from));
      out.insert(out.end(), name.begin() + static_cast<std::ptrdiff_t>(from),
                 name.begin() + static_cast<std::ptrdiff_t>(dot));
      from = dot + 1;
    }
    out.push_back(0);
  }
  // Points to the question's name; a life of 1 s.
  static void putRecord(std::vector<std::uint8_t>& out, std::uint16_t type, const std::vector<std::uint8_t>& data) {
    put16(out, 0xc00c);
    put16(out, type);
    put16(out, 1);
    put16(out, 0);
    put16(out, 1);
    put16(out, static_cast<unsigned>(data.size()));
    out.insert(out.end(), data.begin(), data.end());
  }

  // RFC 1035 §4.1.
  std::vector<std::uint8_t> answer(const std::vector<std::uint8_t>& question) {
    std::string name;
    std::size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      if (!name.empty()) name += '.';
      name.append(question.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                  question.begin() + static_cast<std::ptrdiff_t>(at) + 1 + question[at]);
      at += 1U + question[at];
    }
    const auto type = static_cast<std::uint16_t>(question[at + 1] << 8 | question[at + 2]);
    std::vector<std::vector<std::uint8_t>> records;
    {
      std::lock_guard lock(mutex_);
      if (type == kSrv && services_.contains(name)) {
        for (const auto& service : services_[name]) {
          std::vector<std::uint8_t> data;
          put16(data, service.priority);
          put16(data, service.weight);
          put16(data, service.port);
          putName(data, service.host);
          records.push_back(std::move(data));
        }
      } else if (type == kA && addresses_.contains(name)) {
        const Bytes ip = addresses_[name].bytes();
        records.emplace_back(ip.begin(), ip.end());
      }
    }
    std::vector<std::uint8_t> reply(question.begin(), question.begin() + static_cast<std::ptrdiff_t>(at) + 5);
    reply[2] = 0x85;
    reply[3] = records.empty() ? 0x83 : 0x80;  // NXDOMAIN
    reply[6] = 0;
    reply[7] = static_cast<std::uint8_t>(records.size());
    reply[8] = reply[9] = reply[10] = reply[11] = 0;  // neither authorities nor what the question added (EDNS)
    for (const auto& data : records) putRecord(reply, type, data);
    return reply;
  }

  loop::FileDescriptor socket_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Service>> services_;
  std::map<std::string, IpAddress> addresses_;
  std::atomic<bool> silent_{false};
  std::atomic<unsigned> questions_{0};
  std::jthread thread_;  // last: it ends before what it reads goes
};

}  // namespace crosspoint::dns::test
