// Bus: the controllers on the fabric (Fig 4), with who uses them. What one may see of it, and who
// is told, decides the fabric (fabric_bus.cpp).
//
// Threading: control thread. Ownership: owns its records; knows others by number and name only.
//
// Invariants:
//  1. A controller's number names it as long as it is there, also at the next daemon, and never
//     another one: sessions and their listeners are numbered once.
//  2. Whatever changes of a controller changes its `changes`.
#pragma once

#include <causeway/abi/bus.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::adapter {

struct Controller {
    abi::ControllerType type{};
    abi::ControllerState state = abi::ControllerState::up;
    std::string partition;  // whose it is, and by which entrance that came (empty: the open one)
    std::string entrance;
    std::string service;
    std::map<std::string, std::uint32_t, std::less<>> users{};  // connections, by partition
    std::uint32_t connections = 0;
    std::uint64_t changes = 0;
};

class Bus {
public:
    using Number = std::uint64_t;
    using Controllers = std::map<Number, Controller>;
    static constexpr std::size_t kMostOfOne = 64;  // controllers of one partition

    Bus() noexcept;

    [[nodiscard]] static constexpr Number number_of(std::uint32_t session,
                                                    std::uint32_t listener) noexcept {
        return std::uint64_t{session} << 32 | listener;
    }
    [[nodiscard]] static constexpr std::uint32_t session_of(Number number) noexcept {
        return static_cast<std::uint32_t>(number >> 32);
    }
    [[nodiscard]] static constexpr std::uint32_t listener_of(Number number) noexcept {
        return static_cast<std::uint32_t>(number);
    }
    [[nodiscard]] const Controllers& controllers() const noexcept { return controllers_; }
    [[nodiscard]] const Controller* find(Number number) const noexcept;
    [[nodiscard]] std::vector<Number> of(std::uint32_t session) const;

    const Controller& add(Number number, Controller controller);
    // It has gone; what it was. Nothing, if it was not there.
    [[nodiscard]] Controllers::node_type remove(Number number) noexcept;
    // Whether anything has changed.
    bool set_state(Number number, abi::ControllerState state) noexcept;
    void begin_use(Number number, const std::string& user);
    void end_use(Number number, std::string_view user) noexcept;

    // A number that stands for all of them that `sees(controller)` says yes to, with the users that
    // `user` (empty: all) may know of.
    template<typename Sees, typename User>
    [[nodiscard]] std::uint64_t generation(Sees sees, User user) const {
        std::uint64_t sum = seed_;
        for (const auto& [number, controller] : controllers_) {
            if (!sees(controller))
                continue;
            const std::string_view only = user(controller);
            sum = mixed(sum, number);
            sum = mixed(sum, static_cast<std::uint64_t>(controller.state));
            sum = mixed(sum, only.empty() ? controller.changes : use_by(controller, only));
        }
        return sum == 0 ? 1 : sum;
    }
    [[nodiscard]] static std::uint32_t use_by(const Controller& controller,
                                              std::string_view user) noexcept;

private:
    [[nodiscard]] static constexpr std::uint64_t mixed(std::uint64_t sum,
                                                       std::uint64_t next) noexcept {
        sum = (sum ^ next) * 0x9e3779b97f4a7c15U;
        return (sum ^ sum >> 29) * 0xbf58476d1ce4e5b9U;
    }

    Controllers controllers_;
    std::uint64_t seed_;  // two daemons do not count alike
};

}  // namespace causeway::adapter
