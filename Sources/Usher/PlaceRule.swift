import Basics

/// From where a stream may be watched: lists of networks, which go first, and of countries.
public struct PlaceRule: Sendable, Hashable {
    /// ISO 3166-1 codes, upper case.
    public var allowedCountries: Set<String>
    public var deniedCountries: Set<String>
    public var allowedNetworks: [IPNetwork]
    public var deniedNetworks: [IPNetwork]

    /// Where an address is.
    public enum Country: Sendable, Hashable {
        case code(String)
        /// The database does not know the address, as private ones.
        case unknown
        /// There is no database to ask.
        case noDatabase
    }

    /// - Returns: nil when all lists are empty.
    public init?(
        allowedCountries: [String] = [], deniedCountries: [String] = [], allowedNetworks: [IPNetwork] = [],
        deniedNetworks: [IPNetwork] = []
    ) {
        self.allowedCountries = Set(allowedCountries)
        self.deniedCountries = Set(deniedCountries)
        self.allowedNetworks = allowedNetworks
        self.deniedNetworks = deniedNetworks
        guard namesCountries || !allowedNetworks.isEmpty || !deniedNetworks.isEmpty else { return nil }
    }

    /// Whether the database is asked at all.
    public var namesCountries: Bool {
        !allowedCountries.isEmpty || !deniedCountries.isEmpty
    }

    /// A denied network, an allowed network, a denied country, an allowed country: the first that fits decides. When none does,
    /// whoever is not denied is admitted where nobody is allowed by name, and else refused.
    ///
    /// - Parameters:
    ///   - address: nil, when it is not known, is nowhere.
    ///   - country: asked for when networks do not decide.
    public func admits(_ address: IPAddress?, country: (IPAddress) -> Country) -> Bool {
        guard let address, !deniedNetworks.contains(where: { $0.contains(address) }) else { return false }
        if allowedNetworks.contains(where: { $0.contains(address) }) { return true }
        guard namesCountries else { return allowedNetworks.isEmpty }
        switch country(address) {
        case .noDatabase: return false
        case .unknown: return allowedCountries.isEmpty && allowedNetworks.isEmpty
        case .code(let code):
            guard !deniedCountries.contains(code) else { return false }
            return allowedCountries.contains(code) || (allowedCountries.isEmpty && allowedNetworks.isEmpty)
        }
    }
}

/// The countries that a list may name.
public enum CountryCode {
    /// ISO 3166-1, and `XK` for Kosovo, which databases use.
    private static let all = Set(
        """
        AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD \
        CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
        GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
        KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
        NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI \
        SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
        VN VU WF WS XK YE YT ZA ZM ZW
        """.split(separator: " ").map(String.init))

    /// The code in upper case; nil when no country has it (`UK` is none: it is `GB`).
    public static func normalized(_ text: String) -> String? {
        let code = text.uppercased()
        return all.contains(code) ? code : nil
    }
}
