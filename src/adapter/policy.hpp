// Policy: who may connect to whom and do what there, through which executor, and who may announce
// which controller.
//
// Threading: control thread. A denial, and the listing of a queue pair, name the rule that decided.
#pragma once

#include <causeway/abi/bus.hpp>
#include <causeway/abi/control.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace causeway::adapter {

// One side of a connection.
struct Party {
    std::string_view partition;
    std::string_view entrance;         // empty: the open entrance
    std::uint64_t user_namespace = 0;  // 0: not known
};

// Rules are at most 63 characters, as they are listed.
struct Decision {
    bool allowed = false;
    bool direct = false;      // may the two grant each other memory?
    std::string rule;         // which rule decided
    std::string direct_rule;  // which rule decided about direct
    std::string why_not;      // where it is not allowed: what the one who asked is told
    std::string why_not_direct;
};

// May a partition announce a controller?
struct Announcement {
    bool allowed = false;
    std::string rule;     // which one decided
    std::string why_not;  // where it is not allowed: what the one who asked is told
};

class Policy {
public:
    virtual ~Policy() = default;
    [[nodiscard]] virtual Decision may_connect(const Party& from, const Party& to,
                                               std::string_view service) const = 0;
    // What the descriptors of `from` may do to `to` by executor adapter: bits of config::Operation.
    [[nodiscard]] virtual std::uint8_t operations(const Party& from, const Party& to) const = 0;
    // Which rule lets `from` do that to `to`, or why none does: a sentence.
    [[nodiscard]] virtual std::string explain(const Party& from, const Party& to,
                                              config::Operation operation) const = 0;
    // `type`: not none, and one that is known.
    [[nodiscard]] virtual Announcement may_announce(const Party& who, std::string_view service,
                                                    abi::ControllerType type) const = 0;
};

// Without a policy file: every attached partition may connect to every other and announce what it
// likes; direct only where both came in by the open entrance and live in one user namespace.
class DefaultPolicy : public Policy {
public:
    [[nodiscard]] Decision may_connect(const Party& from, const Party& to,
                                       std::string_view service) const override;
    [[nodiscard]] std::uint8_t operations(const Party& from, const Party& to) const override;
    [[nodiscard]] std::string explain(const Party& from, const Party& to,
                                      config::Operation operation) const override;
    [[nodiscard]] Announcement may_announce(const Party& who, std::string_view service,
                                            abi::ControllerType type) const override;
};

// What the configuration file allows; everything else is denied.
class ConfiguredPolicy : public Policy {
public:
    explicit ConfiguredPolicy(std::shared_ptr<const config::Config> config)
        : config_(std::move(config)) {}
    [[nodiscard]] Decision may_connect(const Party& from, const Party& to,
                                       std::string_view service) const override;
    [[nodiscard]] std::uint8_t operations(const Party& from, const Party& to) const override;
    [[nodiscard]] std::string explain(const Party& from, const Party& to,
                                      config::Operation operation) const override;
    [[nodiscard]] Announcement may_announce(const Party& who, std::string_view service,
                                            abi::ControllerType type) const override;

private:
    std::shared_ptr<const config::Config> config_;
};

// As `config` was read from a file or not.
[[nodiscard]] std::unique_ptr<Policy> make_policy(std::shared_ptr<const config::Config> config);

// What policy calls a descriptor of that opcode, as a peer wrote it; nullopt: it decides about
// none.
[[nodiscard]] std::optional<config::Operation> operation_of(std::uint32_t opcode) noexcept;

// "network"; of a known one that is not none.
[[nodiscard]] std::string_view name_of(abi::ControllerType type) noexcept;

// The engine's permissions (engine::permission) for bits of config::Operation.
[[nodiscard]] std::uint8_t permissions_of(std::uint8_t operations) noexcept;

// Which executor a connection gets, from what both sides want and what the policy allows.
struct Wishes {
    abi::Executor connector = abi::Executor::any;
    abi::Executor acceptor = abi::Executor::any;
    bool connector_exports = false;  // all its regions are exportable
    bool acceptor_exports = false;
};
struct Choice {
    abi::Executor executor = abi::Executor::adapter;  // any: none that both would have
    std::string why;                                  // at most 63 characters
};
[[nodiscard]] Choice choose_executor(const Decision& decision, const Wishes& wishes);

}  // namespace causeway::adapter
