// causeway auth: who may do what to whom, and announce what, told beforehand in the adapter's
// words.
#include <fmt/format.h>

#include <memory>

#include "base/names.hpp"
#include "command.hpp"
#include "config/policy.hpp"
#include "configuration/source.hpp"
#include "json.hpp"

namespace causeway::cli {
namespace {

struct Options {
    std::string from;
    std::string to;
    std::string operation;
    std::string service;
    std::string executor = "adapter";
    ConfigSource source;
    bool json = false;
};

struct AnnounceOptions {
    std::string unit;
    std::string type;
    ConfigSource source;
    bool json = false;
};

constexpr std::string_view kExplain = "auth explain";
constexpr std::string_view kAnnounce = "auth announce";

// `word` is none of `known`; returns the exit status.
[[nodiscard]] int none_of(std::string_view command, const std::string& what,
                          const std::string& word, const std::vector<std::string>& known) {
    const std::string nearest = nearest_word(word, known);
    return wrong_usage(fmt::format("{} '{}' is none of {}{}", what, word, fmt::join(known, ", "),
                                   nearest.empty() ? "" : ", did you mean '" + nearest + "'?"),
                       std::string(command));
}

[[nodiscard]] json or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

// `asked`, with the answer behind it.
[[nodiscard]] json to_json(json asked, const LoadedSource& source, const config::Verdict& verdict) {
    asked["file"] = or_null(source.path);
    asked["allowed"] = verdict.allowed;
    asked["rule"] = verdict.rule;
    asked["text"] = verdict.text;
    asked["condition"] = or_null(verdict.condition);
    asked["remedy"] = or_null(verdict.remedy);
    return asked;
}

[[nodiscard]] Result<LoadedSource> load_good(const ConfigSource& from) {
    LoadedSource source = load_source(from, NoFile::built_in);
    if (!source.loaded.ok()) {
        print_problems(source.loaded.problems);
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} has errors, so nobody can tell what it allows", source.path));
    }
    return source;
}

// Returns the exit status.
[[nodiscard]] int tell(const config::Verdict& verdict) {
    fmt::print("{}: {}\n", verdict.allowed ? "allowed" : "denied", verdict.text);
    return verdict.allowed ? 0 : kFailed;
}

Result<int> explain(const Options& options) {
    for (const auto& [kind, name] :
         {std::pair("partition", &options.from), std::pair("partition", &options.to),
          std::pair("service", &options.service)}) {
        if (std::string_view(kind) == "service" && name->empty())
            continue;
        if (const auto checked = check_name(kind, *name); !checked)
            return wrong_usage(checked.error().text, std::string(kExplain));
    }
    const auto operation = config::operation_of(options.operation);
    if (!operation)
        return none_of(kExplain, "OPERATION", options.operation,
                       {"connect", "send", "write", "read", "append"});
    if (options.executor != "adapter" && options.executor != "direct")
        return none_of(kExplain, "--executor", options.executor, {"adapter", "direct"});
    const auto executor =
        options.executor == "direct" ? config::Executor::direct : config::Executor::adapter;
    CW_TRY_ASSIGN(const LoadedSource source, load_good(options.source));
    const config::Verdict verdict = config::decide(source.loaded.config, options.from, options.to,
                                                   *operation, executor, options.service);
    if (!options.json)
        return tell(verdict);
    print_json(to_json({{"from", options.from},
                        {"to", options.to},
                        {"operation", options.operation},
                        {"service", or_null(options.service)},
                        {"executor", options.executor}},
                       source, verdict));
    return verdict.allowed ? 0 : kFailed;
}

Result<int> announce(const AnnounceOptions& options) {
    const auto unit = split_target(options.unit);
    if (!unit)
        return wrong_usage(unit.error().text, std::string(kAnnounce));
    const auto type = config::unit_type_of(options.type);
    if (!type)
        return none_of(kAnnounce, "TYPE", options.type, {"network", "block", "security", "other"});
    CW_TRY_ASSIGN(const LoadedSource source, load_good(options.source));
    const config::Verdict verdict =
        config::decide_unit(source.loaded.config, unit->partition, unit->service, *type);
    if (!options.json)
        return tell(verdict);
    print_json(to_json(
        {{"partition", unit->partition}, {"service", unit->service}, {"type", options.type}},
        source, verdict));
    return verdict.allowed ? 0 : kFailed;
}

void add_config_option(CLI::App& app, ConfigSource& source) {
    app.add_option("--config", source.file,
                   "The configuration (default: $CAUSEWAY_CONFIG, or " +
                       std::string(config::kDefaultPath) +
                       ";\nwithout one the policy that is built in)")
        ->type_name("FILE");
    add_set_option(app, source);
}

void add_explain(CLI::App& auth) {
    auto options = std::make_shared<Options>();
    CLI::App& explain_app =
        *auth.add_subcommand("explain", "Tell whether something is allowed, and by which rule");
    explain_app.add_option("FROM", options->from, "Partition that wants to do it")
        ->required()
        ->type_name("");
    explain_app.add_option("TO", options->to, "Partition it is done to")->required()->type_name("");
    explain_app.add_option("OPERATION", options->operation, "connect, send, write, read or append")
        ->required()
        ->type_name("");
    explain_app
        .add_option("--service", options->service,
                    "The service to connect to; without it: would it be allowed for all?")
        ->type_name("NAME");
    explain_app.add_option("--executor", options->executor, "adapter or direct")
        ->type_name("NAME")
        ->capture_default_str();
    add_config_option(explain_app, options->source);
    add_json_option(explain_app, options->json);
    explain_app.footer(
        "Status 0: allowed; 1: denied, with the rules that came near and the lines of the file\n"
        "that would allow it.\n\n"
        "Example:\n"
        "  causeway auth explain orders billing connect --service invoices");
    on_run(explain_app, [options] { return explain(*options); });
}

void add_announce(CLI::App& auth) {
    auto options = std::make_shared<AnnounceOptions>();
    CLI::App& announce_app = *auth.add_subcommand(
        "announce", "Tell whether a controller may be announced, and by which unit");
    announce_app
        .add_option("UNIT", options->unit, "The partition and its service, as PARTITION/NAME")
        ->required()
        ->type_name("");
    announce_app.add_option("TYPE", options->type, "network, block, security or other")
        ->required()
        ->type_name("");
    add_config_option(announce_app, options->source);
    add_json_option(announce_app, options->json);
    announce_app.footer(
        "Status 0: allowed; 1: denied, with the lines of the file that would allow it.\n\n"
        "Example:\n"
        "  causeway auth announce net/lan0 network");
    on_run(announce_app, [options] { return announce(*options); });
}

}  // namespace

void add_auth(CLI::App& app) {
    CLI::App& auth = *app.add_subcommand("auth", "Explain what the policy allows");
    auth.require_subcommand(1);
    auth.footer(
        "Example:\n"
        "  causeway auth explain orders billing send --executor direct\n\n"
        "`causeway auth explain --help` says more.");
    add_explain(auth);
    add_announce(auth);
}

}  // namespace causeway::cli
