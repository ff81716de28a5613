// SPDX-License-Identifier: Apache-2.0
#include "nlb/completion.hh"

#include <algorithm>
#include <functional>

namespace nlb {
namespace {

constexpr const char* kOpening =
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Completes nlb. Written by `nlb completion`, from the option tree of the program.\n";

void visit(const CommandNode& node, const std::function<void(const CommandNode&)>& act) {
  act(node);
  for (const auto& child : node.children) visit(child, act);
}

std::string joined_by_blanks(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// Within single quotes of every one of the shells.
std::string quoted(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '\''), text.end());
  return "'" + text + "'";
}

// zsh splits a description from its word at the first colon.
std::string described(std::string word, const std::string& text) {
  for (std::size_t at = 0; (at = word.find(':', at)) != std::string::npos; at += 2) word.insert(at, "\\");
  return quoted(word + ":" + text);
}

bool is_long(const std::string& name) {
  return name.starts_with("--");
}

// PATH:OPTION patterns of a shell's case, e.g. "filter":--protocol
std::string case_label(const std::string& path, const CommandOption& option) {
  std::string out;
  for (const auto& name : option.names) out += (out.empty() ? "" : "|") + quoted(path + ":" + name);
  return out;
}

// What bash and zsh ask of the tables: is this a command, does this option take a value, and which.
std::string shared_functions(const CommandNode& root) {
  std::string commands, takes, values;
  visit(root, [&](const CommandNode& node) {
    if (!node.path.empty()) commands += (commands.empty() ? "" : "|") + quoted(node.path);
    for (const auto& option : node.options) {
      if (!option.takes_value) continue;
      const auto label = case_label(node.path, option);
      takes += "    " + label + ") return 0 ;;\n";
      if (!option.values.empty())
        values += "    " + label + ") echo " + quoted(joined_by_blanks(option.values)) + " ;;\n";
      else if (option.names.back() == "--cluster" && !node.path.starts_with("vmswitch set"))
        values += "    " + label + ") _nlb_clusters ;;\n";
    }
  });
  return "_nlb_clusters() {\n"
         "  local socket\n"
         "  for socket in /run/opennlb/*/control.sock; do\n"
         "    [ -S \"$socket\" ] && basename \"${socket%/control.sock}\"\n"
         "  done\n"
         "}\n\n"
         "_nlb_is_command() {\n  case \"$1\" in\n    " +
         commands +
         ") return 0 ;;\n  esac\n  return 1\n}\n\n"
         "_nlb_takes_value() {  # COMMAND OPTION\n  case \"$1:$2\" in\n" +
         takes +
         "  esac\n  return 1\n}\n\n"
         "_nlb_values() {  # COMMAND OPTION\n  case \"$1:$2\" in\n" +
         values + "  esac\n}\n\n";
}

std::string fish_option(const std::string& path, const CommandOption& option) {
  std::string out = "complete -c nlb -n " + quoted("__nlb_at \"" + path + "\"");
  for (const auto& name : option.names)
    out += is_long(name) ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.values.empty())
    out += " -x -a " + quoted(joined_by_blanks(option.values));
  else if (option.takes_value)
    out += " -r";
  return out + " -d " + quoted(option.text) + "\n";
}

}  // namespace

std::string bash_completion(const CommandNode& root) {
  std::string words;
  visit(root, [&](const CommandNode& node) {
    std::vector<std::string> here;
    for (const auto& child : node.children) here.push_back(child.name());
    for (const auto& option : node.options)
      for (const auto& name : option.names) here.push_back(name);
    words += "    " + quoted(node.path) + ") echo " + quoted(joined_by_blanks(here)) + " ;;\n";
  });
  return kOpening + shared_functions(root) + "_nlb_words() {  # COMMAND\n  case \"$1\" in\n" + words +
         R"sh(  esac
}

_nlb() {
  local word command="" previous="${COMP_WORDS[COMP_CWORD-1]}" current="${COMP_WORDS[COMP_CWORD]}" i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word="${COMP_WORDS[i]}"
    if _nlb_takes_value "$command" "$word"; then
      ((++i))
    elif _nlb_is_command "${command:+$command }$word"; then
      command="${command:+$command }$word"
    fi
  done
  if _nlb_takes_value "$command" "$previous"; then
    mapfile -t COMPREPLY < <(compgen -W "$(_nlb_values "$command" "$previous")" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$(_nlb_words "$command")" -- "$current")
  fi
}
complete -o default -F _nlb nlb
)sh";
}

std::string zsh_completion(const CommandNode& root) {
  std::string words;
  visit(root, [&](const CommandNode& node) {
    words += "    " + quoted(node.path) + ")\n      words_here=(";
    for (const auto& child : node.children) words += "\n        " + described(child.name(), child.text);
    for (const auto& option : node.options)
      for (const auto& name : option.names) words += "\n        " + described(name, option.text);
    words += ") ;;\n";
  });
  return std::string("#compdef nlb\n") + kOpening + shared_functions(root) +
         "_nlb_words() {  # COMMAND; sets words_here\n  case \"$1\" in\n" + words + R"sh(  esac
}

_nlb() {
  local word command="" previous="${words[CURRENT-1]}" i
  local -a words_here values_here
  for ((i = 2; i < CURRENT; ++i)); do
    word="${words[i]}"
    if _nlb_takes_value "$command" "$word"; then
      ((++i))
    elif _nlb_is_command "${command:+$command }$word"; then
      command="${command:+$command }$word"
    fi
  done
  if _nlb_takes_value "$command" "$previous"; then
    values_here=(${=$(_nlb_values "$command" "$previous")})
    if ((${#values_here})); then compadd -a values_here; else _files; fi
  else
    _nlb_words "$command"
    _describe -t commands nlb words_here || _files
  fi
}
if [ "$funcstack[1]" = "_nlb" ]; then _nlb "$@"; else compdef _nlb nlb; fi
)sh";
}

std::string fish_completion(const CommandNode& root) {
  std::string commands, takes, lines;
  visit(root, [&](const CommandNode& node) {
    if (!node.path.empty()) commands += " " + quoted(node.path);
    for (const auto& child : node.children)
      lines += "complete -c nlb -f -n " + quoted("__nlb_at \"" + node.path + "\"") + " -a " + child.name() +
               " -d " + quoted(child.text) + "\n";
    for (const auto& option : node.options) {
      lines += fish_option(node.path, option);
      for (const auto& name : option.names)
        if (option.takes_value) takes += " " + quoted(node.path + ":" + name);
    }
  });
  return kOpening + std::string("set -g __nlb_commands") + commands + "\nset -g __nlb_takes_value" + takes +
         R"sh(

function __nlb_at --description 'are the words so far of this command?'
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- "$at:$word" $__nlb_takes_value
            set skip 1
        else if contains -- (string trim -- "$at $word") $__nlb_commands
            set at (string trim -- "$at $word")
        end
    end
    test "$at" = "$argv[1]"
end

)sh" + lines;
}

}  // namespace nlb
