package quartzbio

import (
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/rowback/rowback/server/host"
	"github.com/rowback/rowback/storage/snapshot"
)

// Media types of objects, as the service names them.
var mimetypes = map[string]string{
	datasetKind: "application/vnd.solvebio.dataset", folderKind: "application/vnd.solvebio.folder",
}

// objectView is an object as the client sees it.
type objectView struct {
	AccountID             int64          `json:"account_id"`
	AncestorObjectIDs     []string       `json:"ancestor_object_ids"`
	Availability          *string        `json:"availability"`
	ClassName             string         `json:"class_name"`
	CreatedAt             string         `json:"created_at"`
	DatasetDescription    *string        `json:"dataset_description"`
	DatasetDocumentsCount *int64         `json:"dataset_documents_count"`
	DocumentsCount        *int64         `json:"documents_count"`
	DatasetFullName       *string        `json:"dataset_full_name"`
	StorageClass          *string        `json:"storage_class"`
	DatasetID             *string        `json:"dataset_id"`
	Depth                 int            `json:"depth"`
	Description           *string        `json:"description"`
	Filename              string         `json:"filename"`
	FullPath              string         `json:"full_path"`
	GlobalBeacon          *string        `json:"global_beacon"`
	HasChildren           bool           `json:"has_children"`
	HasFolderChildren     bool           `json:"has_folder_children"`
	ID                    string         `json:"id"`
	IsDeleted             bool           `json:"is_deleted"`
	IsMultipart           bool           `json:"is_multipart"`
	IsTransformable       bool           `json:"is_transformable"`
	LastAccessed          string         `json:"last_accessed"`
	LastModified          string         `json:"last_modified"`
	MD5                   *string        `json:"md5"`
	Metadata              map[string]any `json:"metadata"`
	Mimetype              *string        `json:"mimetype"`
	NumChildren           int            `json:"num_children"`
	NumDescendants        int            `json:"num_descendants"`
	ObjectType            string         `json:"object_type"`
	ParentObjectID        *string        `json:"parent_object_id"`
	Path                  string         `json:"path"`
	Size                  *int64         `json:"size"`
	Tags                  []string       `json:"tags"`
	UpdatedAt             string         `json:"updated_at"`
	UploadURL             *string        `json:"upload_url"`
	URL                   *string        `json:"url"`
	User                  userView       `json:"user"`
	UserID                int64          `json:"user_id"`
	VaultID               int64          `json:"vault_id"`
	VaultName             string         `json:"vault_name"`
	VersionCount          int            `json:"version_count"`
}

// viewObject returns an object as the client sees it, among those of its vault.
func (f *Face) viewObject(ctx context.Context, o object, among []object) (objectView, error) {
	said := o.labels()
	made, changed, user := o.times()
	out := objectView{
		AccountID: accountID, AncestorObjectIDs: []string{}, ClassName: "Object", CreatedAt: moment(made),
		Depth: strings.Count(o.path, "/") - 1, Description: text(said.Description), Filename: o.filename(),
		FullPath: o.fullPath(), ID: o.id, LastAccessed: moment(changed), LastModified: moment(changed),
		Metadata: said.Metadata, Mimetype: text(mimetypes[o.kind]), ObjectType: o.kind, Path: o.path, Tags: said.Tags,
		UpdatedAt: moment(changed), VaultID: o.vault.id, VaultName: o.vault.name,
	}
	switch o.kind {
	case datasetKind:
		founder, err := f.store.Founder(ctx, o.state.Dataset)
		if err != nil {
			return out, err
		}
		user = founder
		out.asDataset(o.state)
	case fileKind:
		out.asFile(o)
	}
	out.User, out.UserID = viewUser(user), userNumber(user)
	for p := path.Dir(o.path); p != "/"; p = path.Dir(p) {
		out.AncestorObjectIDs = append(out.AncestorObjectIDs, folderID(o.vault, p))
	}
	slices.Reverse(out.AncestorObjectIDs)
	if n := len(out.AncestorObjectIDs); n > 0 {
		out.ParentObjectID = &out.AncestorObjectIDs[n-1]
	}
	if o.kind == folderKind {
		out.count(o, among)
	}
	return out, nil
}

// times returns when an object was made and changed, and by whom, as far as its entry has it.
func (o object) times() (made, changed time.Time, user string) {
	if o.kind != datasetKind {
		made = o.entry.At
		if made.IsZero() {
			made = time.Unix(0, 0)
		}
		return made, made, o.entry.User
	}
	return o.state.Dataset.CreatedAt, changedAt(o.state), ""
}

// changedAt returns when a dataset was changed last.
func changedAt(s snapshot.State) time.Time {
	if s.Commit.CreatedAt.After(s.Dataset.CreatedAt) {
		return s.Commit.CreatedAt
	}
	return s.Dataset.CreatedAt
}

// asDataset adds what a dataset has.
func (v *objectView) asDataset(s snapshot.State) {
	v.Availability, v.DatasetDescription = text("available"), text(s.Properties.Description)
	records := s.Total()
	v.DatasetDocumentsCount, v.DocumentsCount = &records, &records
	v.DatasetFullName, v.DatasetID = text(s.Dataset.ID), text(s.Dataset.ID)
}

// asFile adds what a file has.
func (v *objectView) asFile(o object) {
	of := fileOf(o.entry)
	v.Availability, v.MD5, v.Mimetype, v.Size = text("available"), text(of.MD5), text(of.Mimetype), &of.Size
	v.IsTransformable = formatOf(o.filename()).format != ""
}

// count counts what a folder has.
func (v *objectView) count(o object, among []object) {
	for _, one := range among {
		if !strings.HasPrefix(one.path, o.path+"/") {
			continue
		}
		v.NumDescendants++
		if path.Dir(one.path) == o.path {
			v.NumChildren++
			v.HasFolderChildren = v.HasFolderChildren || one.kind == folderKind
		}
	}
	v.HasChildren = v.NumChildren > 0
}

// showObject answers with one object.
func (f *Face) showObject(c *fiber.Ctx, status int, o object) error {
	out, err := f.oneView(c, o)
	if err != nil {
		return err
	}
	return show(c, status, out)
}

// oneView returns one object as the client sees it.
func (f *Face) oneView(c *fiber.Ctx, o object) (objectView, error) {
	var among []object
	if o.kind == folderKind {
		var err error
		if among, err = f.objectsIn(c.UserContext(), o.vault); err != nil {
			return objectView{}, err
		}
	}
	return f.viewObject(c.UserContext(), o, among)
}

// datasetView is a dataset as the client sees it.
type datasetView struct {
	Availability        string         `json:"availability"`
	BeaconURL           string         `json:"beacon_url"`
	Capacity            string         `json:"capacity"`
	ChangelogURL        string         `json:"changelog_url"`
	ClassName           string         `json:"class_name"`
	CommitsURL          string         `json:"commits_url"`
	CreatedAt           string         `json:"created_at"`
	DataURL             string         `json:"data_url"`
	Description         string         `json:"description"`
	DocumentsCount      int64          `json:"documents_count"`
	EntityTypes         []string       `json:"entity_types"`
	ExportsURL          string         `json:"exports_url"`
	FieldsURL           string         `json:"fields_url"`
	FullPath            string         `json:"full_path"`
	Health              string         `json:"health"`
	ID                  string         `json:"id"`
	ImportsURL          string         `json:"imports_url"`
	Metadata            map[string]any `json:"metadata"`
	Replicas            int            `json:"replicas"`
	Status              string         `json:"status"`
	StorageClass        string         `json:"storage_class"`
	Tags                []string       `json:"tags"`
	TemplateURL         string         `json:"template_url"`
	UpdatedAt           string         `json:"updated_at"`
	URL                 string         `json:"url"`
	VaultID             int64          `json:"vault_id"`
	VaultName           string         `json:"vault_name"`
	VaultObjectFilename string         `json:"vault_object_filename"`
	VaultObjectID       string         `json:"vault_object_id"`
	VaultObjectPath     string         `json:"vault_object_path"`
}

// viewDataset returns a dataset as the client sees it.
func (f *Face) viewDataset(c *fiber.Ctx, s snapshot.State) (datasetView, error) {
	v, p, err := f.datasetVault(c, s)
	if err != nil {
		return datasetView{}, err
	}
	said := labelsOf(s.Properties)
	at := host.Site(c) + root + "/datasets/" + s.Dataset.ID
	return datasetView{
		Availability: "available", BeaconURL: at + "/beacon", Capacity: "small", ChangelogURL: at + "/changelog",
		ClassName: "Dataset", CommitsURL: at + "/commits", CreatedAt: moment(s.Dataset.CreatedAt), DataURL: at + "/data",
		Description: said.Description, DocumentsCount: s.Total(), EntityTypes: []string{}, ExportsURL: at + "/exports",
		FieldsURL: at + "/fields", FullPath: v.fullPath() + ":" + p, Health: "green", ID: s.Dataset.ID,
		ImportsURL: at + "/imports", Metadata: said.Metadata, Status: "open", StorageClass: "Standard", Tags: said.Tags,
		TemplateURL: at + "/template", UpdatedAt: moment(changedAt(s)), URL: at, VaultID: v.id, VaultName: v.name,
		VaultObjectFilename: path.Base(p), VaultObjectID: s.Dataset.ID, VaultObjectPath: p,
	}, nil
}
