#include "adapter/policy.hpp"

#include <fmt/format.h>

#include <utility>

#include "config/policy.hpp"
#include "engine/endpoint.hpp"

namespace causeway::adapter {
namespace {

constexpr std::pair<config::Operation, abi::Opcode> kDecided[] = {
    {config::Operation::send, abi::Opcode::send},
    {config::Operation::write, abi::Opcode::write},
    {config::Operation::read, abi::Opcode::read},
    {config::Operation::append, abi::Opcode::append},
};

[[nodiscard]] config::UnitType unit_type(abi::ControllerType type) noexcept {
    return static_cast<config::UnitType>(type);
}
static_assert(static_cast<std::uint32_t>(config::UnitType::network) ==
                  static_cast<std::uint32_t>(abi::ControllerType::network) &&
              static_cast<std::uint32_t>(config::UnitType::block) ==
                  static_cast<std::uint32_t>(abi::ControllerType::block) &&
              static_cast<std::uint32_t>(config::UnitType::security) ==
                  static_cast<std::uint32_t>(abi::ControllerType::security) &&
              static_cast<std::uint32_t>(config::UnitType::other) ==
                  static_cast<std::uint32_t>(abi::ControllerType::other));

[[nodiscard]] Announcement announcement(config::Verdict verdict) {
    return {verdict.allowed, std::move(verdict.rule),
            verdict.allowed ? std::string() : std::move(verdict.text)};
}

}  // namespace

Decision DefaultPolicy::may_connect(const Party& from, const Party& to,
                                    std::string_view /*service*/) const {
    Decision decision;
    decision.allowed = true;
    if (!from.entrance.empty() || !to.entrance.empty()) {
        decision.rule = from.entrance == to.entrance ? "default: same entrance"
                                                     : "default: between different entrances";
        decision.direct_rule = "default: direct only by the open entrance";
        return decision;
    }
    decision.rule = "default: both by the open entrance";
    if (from.user_namespace == 0 || to.user_namespace == 0) {
        decision.direct_rule = "default: a user namespace is not known";
    } else if (from.user_namespace != to.user_namespace) {
        decision.direct_rule = "default: different user namespaces";
    } else {
        decision.direct = true;
        decision.direct_rule = "default: open entrance, same user namespace";
    }
    return decision;
}

std::uint8_t DefaultPolicy::operations(const Party& /*from*/, const Party& /*to*/) const {
    return config::kAllOperations;
}

std::string DefaultPolicy::explain(const Party& from, const Party& to,
                                   config::Operation operation) const {
    return fmt::format("{} may {} {}: rule '{}'", from.partition, config::operation_name(operation),
                       to.partition, may_connect(from, to, {}).rule);
}

Announcement DefaultPolicy::may_announce(const Party& who, std::string_view service,
                                         abi::ControllerType type) const {
    return announcement(config::decide_unit({}, who.partition, service, unit_type(type)));
}

Decision ConfiguredPolicy::may_connect(const Party& from, const Party& to,
                                       std::string_view service) const {
    using config::Executor;
    using config::Operation;
    const auto ask = [&](Executor executor) {
        return config::decide(*config_, from.partition, to.partition, Operation::connect, executor,
                              service);
    };
    const config::Verdict by_adapter = ask(Executor::adapter);
    const config::Verdict direct = ask(Executor::direct);
    Decision decision;
    decision.allowed = by_adapter.allowed || direct.allowed;
    decision.direct = direct.allowed;
    decision.rule = direct.allowed && !by_adapter.allowed ? direct.rule : by_adapter.rule;
    decision.direct_rule = direct.allowed ? direct.rule : "no rule for executor direct";
    if (!decision.allowed)
        decision.why_not = by_adapter.text;
    if (!decision.direct)
        decision.why_not_direct = direct.text;
    return decision;
}

std::uint8_t ConfiguredPolicy::operations(const Party& from, const Party& to) const {
    return config::operations_allowed(*config_, from.partition, to.partition);
}

std::string ConfiguredPolicy::explain(const Party& from, const Party& to,
                                      config::Operation operation) const {
    return config::decide(*config_, from.partition, to.partition, operation,
                          config::Executor::adapter)
        .text;
}

Announcement ConfiguredPolicy::may_announce(const Party& who, std::string_view service,
                                            abi::ControllerType type) const {
    return announcement(config::decide_unit(*config_, who.partition, service, unit_type(type)));
}

std::unique_ptr<Policy> make_policy(std::shared_ptr<const config::Config> config) {
    if (config == nullptr || !config->from_file)
        return std::make_unique<DefaultPolicy>();
    return std::make_unique<ConfiguredPolicy>(std::move(config));
}

std::optional<config::Operation> operation_of(std::uint32_t opcode) noexcept {
    for (const auto& [operation, decided] : kDecided) {
        if (opcode == static_cast<std::uint32_t>(decided))
            return operation;
    }
    return std::nullopt;
}

std::string_view name_of(abi::ControllerType type) noexcept {
    return config::unit_type_name(unit_type(type));
}

std::uint8_t permissions_of(std::uint8_t operations) noexcept {
    std::uint8_t bits = engine::permission(abi::Opcode::nop);
    for (const auto& [operation, opcode] : kDecided) {
        if ((operations & static_cast<std::uint8_t>(operation)) != 0)
            bits |= engine::permission(opcode);
    }
    return bits;
}

Choice choose_executor(const Decision& decision, const Wishes& wishes) {
    using abi::Executor;
    const bool demanded =
        wishes.connector == Executor::direct || wishes.acceptor == Executor::direct;
    const auto without_direct = [&](std::string why) {
        return Choice{demanded ? Executor::any : Executor::adapter, std::move(why)};
    };
    if (wishes.connector == Executor::adapter)
        return without_direct("the connecting partition wants adapter");
    if (wishes.acceptor == Executor::adapter)
        return without_direct("the accepting partition wants adapter");
    if (!decision.direct)
        return without_direct(decision.direct_rule);
    // Who did not ask for direct has agreed to it by making all its memory exportable.
    if (wishes.connector == Executor::any && !wishes.connector_exports)
        return without_direct("connecting side: not all regions are exportable");
    if (wishes.acceptor == Executor::any && !wishes.acceptor_exports)
        return without_direct("accepting side: not all regions are exportable");
    return {Executor::direct, decision.direct_rule};
}

}  // namespace causeway::adapter
