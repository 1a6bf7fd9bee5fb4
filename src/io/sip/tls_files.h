// The certificates of TLS in the form in which sofia-sip wants them: a folder with agent.pem and cafile.pem.
#pragma once
#include <expected>
#include <string>

#include "base/time.h"

namespace crosspoint::sip {

struct TlsConfig {
  std::string authorities;  // PEM file of those whose certificates are accepted; empty: the system's
  std::string certificate;  // PEM file of ours; empty: one that we sign ourselves
  std::string key;          // its key; empty: in the same file
  bool verify = true;       // the server's certificate, its date and the name in it
};

// A folder of ours alone, which goes with the object: sofia-sip reads it when an agent is made.
class TlsFiles {
 public:
  // The error says which file is at fault.
  static std::expected<TlsFiles, std::string> make(const TlsConfig& config, WallTime now);
  TlsFiles(TlsFiles&& other) noexcept;
  TlsFiles& operator=(TlsFiles&&) = delete;
  ~TlsFiles();

  const std::string& folder() const { return folder_; }

 private:
  TlsFiles() = default;

  std::string folder_;
};

}  // namespace crosspoint::sip
