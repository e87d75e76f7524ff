#include "dataset/gz_lines.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace brevet {
namespace {

constexpr std::size_t kReadBlockBytes = 256 * 1024;

class Reader : public GzLines {
 public:
  Reader(gzFile file, std::string path, std::size_t line_bytes_max)
      : line_bytes_max_(line_bytes_max), path_(std::move(path)), file_(file) {}
  ~Reader() override { gzclose(file_); }

  Result<std::optional<std::string_view>> next() override {
    for (;;) {
      auto line = any_line();
      if (!line || !*line || (*line)->find_first_not_of(" \t\r") != std::string_view::npos) return line;
    }
  }
  std::size_t line() const override { return line_; }
  std::string where() const override { return path_ + ":" + std::to_string(line_); }

 private:
  Result<std::optional<std::string_view>> any_line() {
    for (;;) {
      const auto end = buffer_.find('\n', scanned_);
      if (end != std::string::npos) {
        ++line_;
        const std::string_view view(buffer_.data() + begin_, end - begin_);
        begin_ = scanned_ = end + 1;
        return std::optional(view);
      }
      scanned_ = buffer_.size();
      if (at_end_) {
        if (begin_ == buffer_.size()) return std::optional<std::string_view>{};
        ++line_;
        const std::string_view view(buffer_.data() + begin_, buffer_.size() - begin_);
        begin_ = buffer_.size();
        return std::optional(view);
      }
      buffer_.erase(0, begin_);
      scanned_ -= begin_;
      begin_ = 0;
      if (buffer_.size() > line_bytes_max_) {
        ++line_;
        return broken_line(where(), "(line)", "is longer than " + std::to_string(line_bytes_max_) + " bytes");
      }
      const auto old = buffer_.size();
      buffer_.resize(old + kReadBlockBytes);
      const int got = gzread(file_, buffer_.data() + old, static_cast<unsigned>(kReadBlockBytes));
      buffer_.resize(old + static_cast<std::size_t>(std::max(got, 0)));
      int code = Z_OK;
      const char* message = gzerror(file_, &code);
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        ++line_;
        return broken_line(where(), "(line)", std::string("cannot be decompressed: ") + message);
      }
      if (got == 0) at_end_ = true;
    }
  }

  const std::size_t line_bytes_max_;
  const std::string path_;
  gzFile file_;
  std::string buffer_;
  std::size_t begin_ = 0, scanned_ = 0, line_ = 0;
  bool at_end_ = false;
};

tl::unexpected<Error> unwritable(const std::string& path) {
  return fail(ErrorKind::kCallerInvalid, "data_file_unwritable",
              "Cannot write " + path + ": " + std::strerror(errno) + ".");
}

class Writer : public GzLineWriter {
 public:
  Writer(gzFile file, std::string path) : path_(std::move(path)), file_(file) {}
  ~Writer() override {
    if (file_) gzclose(file_);
  }
  Result<> write(std::string_view line) override {
    if (!file_ ||
        gzwrite(file_, line.data(), static_cast<unsigned>(line.size())) != static_cast<int>(line.size()) ||
        gzputc(file_, '\n') != '\n') {
      return unwritable(path_);
    }
    return {};
  }
  Result<> close() override {
    if (!file_) return {};
    if (gzclose(std::exchange(file_, nullptr)) != Z_OK) return unwritable(path_);
    return {};
  }

 private:
  const std::string path_;
  gzFile file_;
};

}  // namespace

Result<std::unique_ptr<GzLines>> GzLines::open(const std::string& path, std::size_t line_bytes_max) {
  // gzopen opens a directory without complaint; reading it then fails as if it were a broken file.
  gzFile file = gzopen(path.c_str(), "rb");
  if (!file) {
    return fail(ErrorKind::kCallerInvalid, "data_file_unreadable",
                "Cannot read the data file " + path + ": " + std::strerror(errno) + ".");
  }
  gzbuffer(file, kReadBlockBytes);
  return std::make_unique<Reader>(file, path, line_bytes_max);
}

Result<std::unique_ptr<GzLineWriter>> GzLineWriter::create(const std::string& path) {
  const bool compressed = path.size() > 3 && path.ends_with(".gz");
  gzFile file = gzopen(path.c_str(), compressed ? "wb6" : "wbT");
  if (!file) return unwritable(path);
  return std::make_unique<Writer>(file, path);
}

tl::unexpected<Error> broken_line(const std::string& where, const std::string& field,
                                  const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "broken_data_file", where + ": field " + field + ": " + what, field);
}

}  // namespace brevet
