// What the program finds on the machine it runs on: its page and its file descriptors.
#pragma once
#include <cstddef>
#include <string>

namespace crosspoint::gateway {

// The configured folder of the page; or the one beside the program, as built or as installed, or below the current
// folder. Empty if there is none with an index.html.
std::string findRoot(const std::string& configured);

// File descriptors are shared between HTTP clients and RTP ports: what the first may have at most, and what is left.
struct DescriptorBudget {
  std::size_t connections = 0, socketsPerWorker = 0;
};
// Raises the soft limit to the hard one first.
DescriptorBudget shareDescriptors(std::size_t connectionsWanted, unsigned workers);

}  // namespace crosspoint::gateway
