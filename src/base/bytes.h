// Bytes as everything below io/ sees them: views, big-endian access, and a reader and a writer that cannot run over an
// end.
#pragma once
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace crosspoint {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using ByteVector = std::vector<std::uint8_t>;

inline Bytes asBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view asText(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// `at` must hold sizeof(T) bytes.
template <typename T>
  requires std::is_unsigned_v<T>
constexpr T loadBigEndian(const std::uint8_t* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((static_cast<std::uint64_t>(value) << 8) | at[i]);
  return value;
}

template <typename T>
  requires std::is_unsigned_v<T>
constexpr void storeBigEndian(std::uint8_t* at, T value) {
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(static_cast<std::uint64_t>(value) >> 8))
    at[i] = static_cast<std::uint8_t>(value);
}

// Reads from the front. After the first read past the end every read gives nothing.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  template <typename T>
    requires std::is_unsigned_v<T>
  std::optional<T> read() {
    auto taken = take(sizeof(T));
    if (!taken) return std::nullopt;
    return loadBigEndian<T>(taken->data());
  }
  std::optional<Bytes> take(std::size_t count) {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return std::nullopt;
    }
    Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  Bytes rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  Bytes rest_;
  bool failed_ = false;
};

// Writes into a fixed buffer. What does not fit is not written and `failed()` stays true from then on.
class ByteWriter {
 public:
  explicit ByteWriter(MutableBytes buffer) : buffer_(buffer) {}

  template <typename T>
    requires std::is_unsigned_v<T>
  void write(T value) {
    if (!room(sizeof(T))) return;
    storeBigEndian(buffer_.data() + size_, value);
    size_ += sizeof(T);
  }
  void write(Bytes bytes) {
    if (bytes.empty() || !room(bytes.size())) return;
    std::memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void fill(std::size_t count, std::uint8_t value) {
    if (!room(count)) return;
    std::memset(buffer_.data() + size_, value, count);
    size_ += count;
  }
  std::size_t size() const { return size_; }
  Bytes written() const { return buffer_.first(size_); }
  bool failed() const { return failed_; }

 private:
  bool room(std::size_t count) {
    if (failed_ || count > buffer_.size() - size_) failed_ = true;
    return !failed_;
  }
  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool failed_ = false;
};

}  // namespace crosspoint
