#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config/schema.h"

// docs/configuration.md names every key of every block, with its default and whether it is active,
// and no other.

namespace sonde::config {
namespace {

struct Row {
  std::string key;
  std::string fallback;
  bool idle = false;
};

std::vector<std::string> Columns(const std::string& line) {
  std::vector<std::string> columns;
  std::string column;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '|' && line[i - 1] != '\\') {
      const std::size_t begin = column.find_first_not_of(' ');
      const std::size_t end = column.find_last_not_of(' ');
      columns.push_back(begin == std::string::npos ? "" : column.substr(begin, end - begin + 1));
      column.clear();
    } else {
      column += line[i];
    }
  }
  return columns;
}

std::string WithoutTicks(const std::string& text) {
  return text.size() >= 2 && text.front() == '`' ? text.substr(1, text.size() - 2) : text;
}

/// The tables of the document by the heading above them.
std::map<std::string, std::vector<Row>> ReadTables() {
  std::map<std::string, std::vector<Row>> tables;
  std::ifstream in("docs/configuration.md");
  EXPECT_TRUE(in) << "run from the root of the repository";
  std::string line;
  std::string heading;
  while (std::getline(in, line)) {
    if (line.starts_with("### `")) {
      heading = line.substr(5, line.find('`', 5) - 5);
      tables[heading];
    } else if (line.starts_with("## ")) {
      heading.clear();
    } else if (line.starts_with("| `") && !heading.empty()) {
      const std::vector<std::string> columns = Columns(line);
      if (columns.size() != 4) {
        ADD_FAILURE() << line;
        continue;
      }
      tables[heading].push_back({WithoutTicks(columns[0]), WithoutTicks(columns[2]),
                                 columns[3].find("not active") != std::string::npos});
    }
  }
  return tables;
}

TEST(ConfigurationDocs, AreComplete) {
  auto tables = ReadTables();
  ForEachBlock(kRootBlock, [&](const Block& block) {
    const auto found = tables.find(block.name);
    ASSERT_NE(found, tables.end()) << "docs/configuration.md has no section `" << block.name << "`";
    std::vector<Row> rows = found->second;
    tables.erase(found);
    std::size_t at = 0;
    for (const Field& field : block.fields) {
      if (field.type == FieldType::kInline) continue;
      ASSERT_LT(at, rows.size()) << block.name << " lacks " << field.name;
      EXPECT_EQ(rows[at].key, field.name) << block.name;
      EXPECT_EQ(rows[at].fallback, field.fallback == nullptr ? "" : field.fallback)
          << block.name << "." << field.name;
      EXPECT_EQ(rows[at].idle, (field.flags & kIdle) != 0) << block.name << "." << field.name;
      ++at;
    }
    EXPECT_EQ(at, rows.size()) << block.name << " has more rows than keys";
  });
  for (const auto& [name, rows] : tables)
    ADD_FAILURE() << "docs/configuration.md describes an unknown block: " << name;
}

}  // namespace
}  // namespace sonde::config
