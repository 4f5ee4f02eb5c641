/// The release that this program is, as nodes and commands say it.
public enum Release {
    public static let version = "0.3.0"
}
