// Entrance: a listening socket, and who may come in by it under which name. The entrance is what
// identifies a partition; a uid alone says nothing.
//
// Threading: control thread. Ownership: owns the socket; removes its file when it goes, unless a
// service manager made that, which goes on listening there.
//
// Invariants:
//  1. A named entrance admits one partition, under the entrance's name.
//  2. The open entrance admits processes of the daemon's own user only, under any name that is not
//     an entrance's. The overflow uid and pid 0 (a process of another namespace) never match.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "platform/fd.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {

class Entrance {
public:
    // `name`: empty for the open one.
    [[nodiscard]] static Result<std::unique_ptr<Entrance>> open(std::string name,
                                                                std::string socket_path);
    // On a socket that listens at `socket_path` already, made by somebody else.
    [[nodiscard]] static std::unique_ptr<Entrance> on(platform::UniqueFd listener, std::string name,
                                                      std::string socket_path);
    ~Entrance();
    Entrance(const Entrance&) = delete;
    Entrance& operator=(const Entrance&) = delete;

    // May this process come in here at all?
    [[nodiscard]] Result<void> admit(const platform::Credentials& peer) const;
    // The name under which a partition that asks for `wanted` (may be empty) is known. Those of
    // `configured` have entrances of their own.
    using Configured = std::map<std::string, config::Partition>;
    [[nodiscard]] Result<std::string> name_for(const std::string& wanted,
                                               const Configured& configured) const;

    [[nodiscard]] bool is_open() const noexcept { return name_.empty(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::string_view label() const noexcept {
        return is_open() ? std::string_view("open") : std::string_view(name_);
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    // Was the socket made by somebody else, who goes on listening there?
    [[nodiscard]] bool is_given() const noexcept { return file_ == File::given; }
    // Takes the socket's file away if it is its own; the socket itself goes with the last owner of
    // what is returned.
    [[nodiscard]] std::shared_ptr<platform::UniqueFd> close();
    [[nodiscard]] int listener() const noexcept { return listener_.get(); }

private:
    enum class File { own, given };
    Entrance(std::string name, std::string socket_path, platform::UniqueFd listener, File file)
        : name_(std::move(name)),
          path_(std::move(socket_path)),
          listener_(std::move(listener)),
          file_(file) {}

    std::string name_;
    std::string path_;
    platform::UniqueFd listener_;
    File file_;
};

// Names that no entrance can have, because they mean something in listings or as a file.
[[nodiscard]] Result<void> check_entrance_name(const std::string& name);
// Each of them, and that none is there twice.
[[nodiscard]] Result<void> check_entrance_names(const std::vector<std::string>& names);

}  // namespace causeway::adapter
