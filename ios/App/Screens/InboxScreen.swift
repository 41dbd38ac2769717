import Pairpin
import PairpinKit
import SwiftUI

/// What waits on every machine, how things ended, and what the machines tell.
struct InboxScreenView: View {
    @State var model: InboxModel
    @Binding var path: [Place]

    var body: some View {
        List {
            if model.waiting.isEmpty { Text(words[.inboxEmpty]) }
            ForEach(model.waiting, id: \.id) { item in
                Button {
                    path.append(.request(row: item.row, id: item.id, scanned: nil))
                } label: {
                    VStack(alignment: .leading) {
                        Text(words.of(item)).font(.headline)
                        Text(words.say(.inboxUntil, ["when": words.moment(item.until)])).font(.subheadline)
                    }
                }
            }
            Section(words[.inboxEnded]) {
                ForEach(model.ended, id: \.item.id) { ended in
                    LabeledContent(words.of(ended.item), value: words.of(ended.how))
                }
            }
            Section(words[.inboxNews]) {
                ForEach(model.news, id: \.number) { news in
                    VStack(alignment: .leading) {
                        Text(verbatim: news.machine).font(.headline)
                        Text(words.of(news.news))
                        Text(words.ago(news.at)).font(.footnote)
                    }
                }
            }
        }
        .navigationTitle(words[.inbox])
    }
}
